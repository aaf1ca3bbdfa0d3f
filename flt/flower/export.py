"""``flt export``: a configuration as an app of Flower."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import Checkpoint

from callbacks import EvaluationMetrics, MetricsLogger, PredictionWriter, RoundProgressBar, RunReport, WandbReport
from flt.cli.commands import export_parser
from flt.cli.config_writer import ConfigWriter
from flt.cli.settings import Request, read
from flt.cli.training import Run, assemble
from flt.errors import InputError, is_own
from flt.federation import Aggregation, Attack
from flt.federation.plugins import callbacks_of, only
from flt.files import write_atomically
from flt.flower import templates
from flt.flower.obstacles import check, is_attacked, is_server_hook

USUAL = (
    *(EvaluationMetrics, MetricsLogger, PredictionWriter, RoundProgressBar, RunReport, WandbReport, ConfigWriter),
    *(Checkpoint, Aggregation, Attack),
)
"""Callbacks of every run, of which nothing needs to be said."""

LEFT_OUT = (
    "Checkpoints: a run that was stopped begins anew; `model.pt` is the last global model.",
    "`summary.json`, errors of single classes and distributions: `metrics.csv` has what `flt fit` calls the same.",
)
"""What no app has."""


def export(args: Sequence[str]) -> None:
    """Runs ``flt export --flower DIR --config FILE ...``: writes the app of the run that ``flt fit`` would make.

    Raises:
        InputError: If the folder holds something, or the configuration cannot be had in Flower.
    """
    given, settings = export_parser().parse_known_args(args)
    if given.flower is None:
        raise InputError("flt export: say where to: --flower DIR")
    folder = Path(given.flower).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--flower={given.flower}: there is something already; name a folder that is empty or new")
    request = read("fit", settings)
    run = assemble("fit", [*settings, "--trainer.logger=false", "--trainer.enable_progress_bar=false"])
    modules = dict(_own_modules(request.plain))
    check(run, _unknown(modules))
    left_out = [*LEFT_OUT, *_left_out(run)]
    for name, text in _files(folder.resolve().name, request, run, left_out).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, text)
    for name, path in modules.items():
        write_atomically(folder / f"{name}.py", Path(str(path)).read_text())
    print(f"App in {folder}: see its README.md; `flwr run {folder}` starts it. It does not have:")
    print("\n".join(f"- {line}" for line in left_out))


def _files(name: str, request: Request, run: Run, left_out: Sequence[str]) -> dict[str, str]:
    """The text of every file of the app, by its place."""
    data, trainer = run.data, run.trainer
    data.prepare_data()
    data.setup("fit")
    rule, attack = only(trainer, Aggregation), only(trainer, Attack) if is_attacked(run) else None
    words = {
        "name": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "federation",
        "title": f"{data.display_name} under {rule.label}" + (f", with {attack.label}" if attack else ""),
        "rounds": str(trainer.max_steps),
        "rule": rule.label,
        "clients": str(data.num_clients),
        "last": str(data.num_clients - 1),
        "attack": Template(templates.ATTACKED).substitute(attack=attack.label) if attack else "",
        "left_out": "\n".join(f"- {line}" for line in left_out),
        "imports": "ConfiguredClients, attack_mod" if attack else "ConfiguredClients",
        "mod": templates.MOD if attack else "",
        "mods": "mods=[attack]" if attack else "",
    }
    package = templates.PACKAGE
    return {
        "pyproject.toml": templates.PYPROJECT.substitute(words),
        "README.md": templates.README.substitute(words),
        f"{package}/__init__.py": f'"""{words["title"]}."""\n',
        f"{package}/configuration.py": templates.CONFIGURATION,
        f"{package}/config.yaml": request.parser.written(request.settings),
        f"{package}/client_app.py": templates.CLIENT.substitute(words),
        f"{package}/server_app.py": templates.SERVER,
    }


def _left_out(run: Run) -> list[str]:
    """Callbacks of the run that nothing calls in Flower, in words."""
    others: list[Callback] = [each for each in callbacks_of(run.trainer) if not isinstance(each, USUAL)]
    return [f"`{type(each).__name__}` of trainer.callbacks." for each in others if not is_server_hook(each)]


def _own_modules(settings: Any) -> Iterator[tuple[str, Path | None]]:
    """The modules of a user's own that settings name, each with its file; None for a package or what is not found."""
    if isinstance(settings, dict):
        path = settings.get("class_path")
        for each in [*settings.values(), *([path] if isinstance(path, str) else [])]:
            yield from _own_modules(each)
    elif isinstance(settings, list):
        for each in settings:
            yield from _own_modules(each)
    elif isinstance(settings, str) and re.fullmatch(r"\w+(\.\w+)+", settings):
        top = settings.split(".")[0]
        spec = find_spec(top) if top in sys.modules else None
        origin = None if spec is None else spec.origin
        if origin is not None and is_own(origin):
            yield top, None if Path(origin).name == "__init__.py" else Path(origin)


def _unknown(modules: dict[str, Path | None]) -> list[str]:
    return [
        f"{name} is a package of your own: install it on every node, or put the class into a file {name}.py"
        for name, path in modules.items()
        if path is None
    ]
