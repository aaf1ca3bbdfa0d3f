"""Running the command line in the tests' own process, each time in a folder of its own."""

import contextlib
import functools
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import yaml
from torch import Tensor

from flt.cli import settings
from flt.cli.parser import FederatedArgumentParser
from flt.data.fetching.download import Unreachable
from flt.data.readers import har_archive as har_source
from flt.data.sets import har
from flt.data.sets.har import standardised
from flt.data.stand_ins.har import synthetic_har
from flt.display import curves
from flt.display.curves import drawn_curves
from flt.main import main

CONFIGS = Path(__file__).parents[2] / "configs"
FLTRUST = str(CONFIGS / "har_fltrust.yaml")
STAND_IN = "HAR (stand-in)"
SMALL = (
    *("--data.stand_in", "always", "--trainer.max_steps", "2", "--trainer.val_check_interval", "2"),
    *("--trainer.log_every_n_steps", "1", "--trainer.enable_progress_bar", "false"),
)

expected_warnings = [
    # These tests are about the program, not about the data; test_cli has one that waits for this warning.
    pytest.mark.filterwarnings("ignore:SYNTHETIC DATA"),
    # Lightning 2.6 calls what jsonargparse renamed in 4.49.
    pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning"),
]


@dataclass(frozen=True)
class Finished:
    """What a command left behind: its exit status and what it wrote to its two streams."""

    status: int
    output: str
    errors: str


def run(*arguments: str) -> Finished:
    """Runs ``flt`` with these arguments in the working directory."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            status = main(list(arguments))
        except SystemExit as ended:  # --help and --print_config
            status = int(ended.code or 0)
    return Finished(status, output.getvalue(), errors.getvalue())


def train(*arguments: str, config: str = FLTRUST) -> Path:
    """Trains for two rounds, unless told otherwise, and returns the run's folder."""
    before = set(Path("runs").glob("*/*"))
    finished = run("fit", "--config", config, *SMALL, *arguments)
    assert finished.status == 0, finished.errors
    (folder,) = set(Path("runs").glob("*/*")) - before
    return folder


def parse(*arguments: str) -> dict[str, Any]:
    """The settings that these arguments make, without running anything."""
    finished = run(*arguments, "--print_config")
    assert finished.status == 0, finished.errors
    settings = yaml.safe_load(finished.output)
    assert isinstance(settings, dict)
    return settings


def checkpoint_of(folder: Path) -> dict[str, Any]:
    """The content of a run's last checkpoint."""
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert isinstance(content, dict)
    return content


def parameters_of(folder: Path) -> dict[str, torch.Tensor]:
    """The global model of a run."""
    return {name: value for name, value in checkpoint_of(folder)["state_dict"].items() if name.startswith("network.")}


def same_parameters(first: Path, second: Path) -> bool:
    """Whether two runs ended with the same global model, bit for bit."""
    a, b = parameters_of(first), parameters_of(second)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def summary_of(folder: Path) -> dict[str, Any]:
    """A run's summary.json."""
    content = json.loads((folder / "summary.json").read_text())
    assert isinstance(content, dict)
    return content


def files_in(folder: Path) -> dict[str, bytes | None]:
    """Content of every file below a folder by its path, None for folders and pipes."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def _no_network(url: str, target: Path, **_: object) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)  # as the real one does first
    raise Unreachable(f"{url} cannot be reached (there is no network in these tests)")


_synthetic_har = functools.cache(synthetic_har)
_one_parser = functools.cache(settings.make_parser)
_curves = functools.cache(lambda: drawn_curves([{"round": 1, "testing_error_rate": 0.5}], "Tiny"))
_standardised: dict[bytes, Tensor] = {}


def _make_parser(command: str, make: Callable[[str], FederatedArgumentParser] = settings.make_parser) -> Any:
    """One parser a command, as a grid reads all its cells with one; to that of ``flt data`` more is added."""
    return make(command) if command == "data" else _one_parser(command)


def _standardised_once(features: Tensor, is_train: Tensor) -> Tensor:
    """Standardises the stand-in once for each split: it is half of what a run of two rounds takes."""
    if features is not _synthetic_har()[0].features:
        return standardised(features, is_train)
    split = is_train.numpy().tobytes()
    if split not in _standardised:
        _standardised[split] = standardised(features, is_train)
    return _standardised[split]


def _picture_of(rows: object, title: str) -> bytes:
    """A picture that was drawn before, with what it should show after its end; drawing takes longer than the rounds."""
    return _curves() + repr((title, rows)).encode()


@contextlib.contextmanager
def working_in(folder: Path, elsewhere: Path) -> Iterator[Path]:
    """Goes to ``folder`` without network and data, and undoes what ``main`` changes in its process.

    Args:
        folder: The working directory.
        elsewhere: Where caches go.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    places = {"FLT_CACHE": str(elsewhere / "cache"), "FLT_DATA": str(elsewhere / "data"), "COLUMNS": "120"}
    with (
        patch.dict(os.environ, places),
        patch.object(sys, "argv", ["flt"]),  # LightningCLI warns of arguments that it does not use
        patch.object(sys, "path", list(sys.path)),
        patch.object(settings, "make_parser", _make_parser),
        patch.object(har, "synthetic_har", _synthetic_har),
        patch.object(har, "standardised", _standardised_once),
        patch.object(curves, "drawn_curves", _picture_of),
        patch.object(har_source, "download", _no_network),
    ):
        for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
            os.environ.pop(name, None)
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@pytest.fixture
def workdir(tmp_path: Path) -> Iterator[Path]:
    """An empty working directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    with working_in(folder, tmp_path):
        yield folder
