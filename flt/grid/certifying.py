"""``flt certify``: trains a model for each group of clients, and certifies their vote."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table

from flt.cli.commands import COMMANDS
from flt.cli.exit_status import ending
from flt.cli.parser import PlainParser
from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.plan.naming import run_folder
from flt.grid.reporting import say

if TYPE_CHECKING:  # the help does without torch
    from flt.grid.certificate.certificate import Certificate
    from flt.grid.certificate.groups import Groups

USAGE = "flt certify --config FILE (--groups N | --clients_per_model K) --out DIR [--SETTING VALUE ...]"
CONFIG = "config.yaml"
MODELS, ALPHA = 100, 0.001


def certify_parser() -> argparse.ArgumentParser:
    """The parser of what ``flt certify`` takes beside the settings of ``flt fit``."""
    about = f"{COMMANDS['certify']} All other options are settings of the runs, as of flt fit."
    parser = PlainParser("flt certify", USAGE, about, allow_abbrev=False)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--groups", type=int, metavar="N", help="Groups that share no client, all of them together.")
    form.add_argument("--clients_per_model", type=int, metavar="K", help="Clients of a group that is drawn.")
    parser.add_argument(
        "--models", type=int, metavar="N", help=f"Groups that are drawn, {MODELS} unless told otherwise."
    )
    parser.add_argument(
        "--alpha", type=float, help=f"Probability of a wrong certificate, {ALPHA} unless told otherwise."
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="Folder of the runs and of the certificate.")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="Runs at a time.")
    return parser


def certify(args: Sequence[str]) -> int:
    """Runs ``flt certify``; what is finished in the folder is not run again.

    Args:
        args: Its arguments.

    Returns:
        0, or 1 if a run failed, without a certificate.

    Raises:
        InputError: If the groups cannot be formed, or the runs are refused.
        Stopped: If it was interrupted.
    """
    given, words = certify_parser().parse_known_args(list(args))
    from flt.cli.settings import read  # here, as the help does without torch
    from flt.grid.certificate.models import Voters
    from flt.grid.execution.refusal import nothing_left_of_refused_runs
    from flt.grid.execution.run import run_grid

    request = read("fit", words)
    settings, folder = request.settings, Path(given.out).expanduser()
    _check(settings, given)
    _check_folder(folder, request.plain)
    voters = Voters.of(request)
    groups = _groups(given, voters.data.num_clients, settings.seed_everything)
    voters.check(groups)
    title = f"{voters.data.display_name}, {settings.aggregation.class_path.rpartition('.')[2]}"
    try:
        with nothing_left_of_refused_runs(folder):
            write_atomically(folder / CONFIG, request.parser.written(settings))
            grid = groups.grid(title, folder / CONFIG, settings.seed_everything)
            results = run_grid(grid, folder, jobs=given.jobs)
    except KeyboardInterrupt as interrupt:
        raise ending(interrupt, "; the same command goes on from here") or interrupt from interrupt
    if results.failures:
        for name, error in results.failures.items():
            say(f"failed: {name}: {error}")
        return 1
    certificate = voters.certificate(title, groups, [run_folder(folder, cell.name, cell.seed) for cell in grid.cells])
    certificate.write(folder)
    _show(certificate, folder)
    return 0


def _groups(given: argparse.Namespace, num_clients: int, seed: int) -> "Groups":
    """The groups that are asked for."""
    from lightning.pytorch.utilities import rank_zero_warn  # here, as the help does without torch

    from flt.grid.certificate.groups import disjoint_groups, drawn_groups

    if given.groups is not None:
        return disjoint_groups(num_clients, given.groups, seed=seed)
    num_models = MODELS if given.models is None else given.models
    alpha = ALPHA if given.alpha is None else given.alpha
    groups = drawn_groups(num_clients, given.clients_per_model, num_models=num_models, alpha=alpha, seed=seed)
    if given.alpha is not None and groups.alpha is None:
        rank_zero_warn(
            f"alpha={given.alpha:g} has no effect: models={num_models} takes in every group there is, so that nothing"
            " is left to chance"
        )
    return groups


def _show(certificate: "Certificate", folder: Path) -> None:
    """Prints the curve."""
    table = Table("malicious clients, at most", "certified accuracy", title=certificate.title, title_justify="left")
    for number, share in enumerate(certificate.curve):
        table.add_row(str(number), f"{share:.3f}")
    Console().print(table)
    say(certificate.describe())
    say(f"Certificate in {folder}")


def _check(settings: Any, given: argparse.Namespace) -> None:
    """Raises an `InputError` for settings that leave no vote, or nothing to certify."""
    attack = settings.attack.class_path.rpartition(".")[2]
    if attack != "NoAttack":
        raise InputError(
            f"attack={attack}: a certificate holds whatever clients send, from runs without attack: leave it out"
        )
    if settings.get("data.init_args.only_clients") is not None:
        raise InputError("data.only_clients is what flt certify sets for each group: leave it out")
    if settings.get("data.init_args.num_added_clients"):
        raise InputError(
            "data.num_added_clients: added clients attack, and a certificate is without attack: leave it out"
        )
    if settings.trainer.enable_checkpointing is False or settings.trainer.fast_dev_run:
        raise InputError(
            "trainer.enable_checkpointing=false or trainer.fast_dev_run keeps no models to vote: leave it out"
        )
    for name in ("models", "alpha"):
        if given.groups is not None and getattr(given, name) is not None:
            raise InputError(f"{name}={getattr(given, name)} has no effect with --groups: leave one of them out")


def _check_folder(folder: Path, plain: dict[str, Any]) -> None:
    """Raises an `InputError` if the folder is a file, or holds the runs of other settings."""
    from flt.runs.differences import OWN, differences

    if folder.is_file():
        raise InputError(f"out={str(folder)!r} is a file: give a folder of its own")
    try:
        there = yaml.safe_load((folder / CONFIG).read_text())
    except FileNotFoundError:
        return
    except (yaml.YAMLError, ValueError):
        there = None
    free = {f"trainer.{name}" for name in OWN}
    if not isinstance(there, dict) or {each.setting for each in differences(there, plain)} - free:
        raise InputError(f"out={str(folder)!r} holds runs with other settings: give another folder")
