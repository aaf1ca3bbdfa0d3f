"""The settings of one run: the parser of ``flt fit``, its evaluations and ``flt data``, and what is read with it."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import Namespace
from lightning.pytorch import Trainer

import flt.models  # noqa: F401  # makes its networks known by short name
from callbacks import FLTrust, NoAttack  # makes all rules and attacks known by short name
from flt.cli.commands import COMMANDS
from flt.cli.help import BriefHelp
from flt.cli.parser import FederatedArgumentParser
from flt.cli.trainer_settings import check_settings
from flt.data import FederatedDataModule
from flt.errors import InputError
from flt.federation import Aggregation, Attack
from flt.module import FederatedModule
from flt.runs.checkpoints import check_checkpoint
from flt.runs.landing import apart, check_repeats, occupied
from flt.runs.resume import EarlierRun

RESUME = (
    "Folder of a run that was stopped, such as runs/har/version_0: goes on from its last checkpoint, with its own"
    " settings, in its own folder; needs no other argument."
)
TRAINER = {
    "logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "name": "flt"}},
    "num_sanity_val_steps": 0,
    "check_val_every_n_epoch": None,
    "enable_model_summary": False,
}
"""Defaults of Lightning's trainer that are others here."""


class Request(NamedTuple):
    """What a command is asked for: a parser, the settings that it read, and the run that is to go on, if one is."""

    parser: FederatedArgumentParser
    settings: Namespace
    earlier: EarlierRun | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """The settings as nested dictionaries of plain values."""
        plain: dict[str, Any] = json.loads(self.parser.written(self.settings, "json"))
        return plain


def make_parser(command: str) -> FederatedArgumentParser:
    """The parser of the settings of ``flt fit``, ``validate``, ``test``, ``predict`` or ``data``."""
    usage = f"flt {command} [--config FILE] [--SETTING VALUE ...]"
    parser = FederatedArgumentParser(f"flt {command}", usage=usage, description=COMMANDS[command], add_help=False)
    parser.add_argument("-h", "--help", action=BriefHelp, help="Show this text.")
    parser.add_config("Settings from a file; of several, later ones win, and options win over files.")
    parser.add_argument("--help.all", action=BriefHelp, help="Show all settings, those of Lightning's trainer, too.")
    parser.add_argument(
        "--seed_everything",
        type=bool | int,
        default=0,
        help="Decides the split, the root dataset, who is malicious and every batch.",
    )
    parser.add_class_arguments(Trainer, "trainer", instantiate=False, fail_untyped=False, sub_configs=True)
    parser.set_defaults({f"trainer.{name}": default for name, default in TRAINER.items()})
    model: dict[str, Any] = {"fail_untyped": False, "sub_configs": True}
    if command == "data":  # which needs no model, but takes the settings of a run that has one
        parser.add_class_arguments(FederatedModule, "model", **model, skip={"network"}, instantiate=False)
        parser.add_argument("--model.network", type=Any)
    else:
        parser.add_class_arguments(FederatedModule, "model", **model)
        (network,) = (action for action in parser._actions if action.dest == "model.network")
        network.extra_help = str  # type: ignore[attr-defined]  # or the help would list the 750 modules of torch
    parser.add_subclass_arguments(FederatedDataModule, "data", fail_untyped=False, required=True)
    for key, base, default in (("aggregation", Aggregation, FLTrust), ("attack", Attack, NoAttack)):
        parser.add_subclass_arguments(base, key, fail_untyped=False, required=False)
        parser.set_defaults({key: {"class_path": default.__name__}})
    if command == "fit":
        parser.add_argument("--resume", type=str | None, default=None, metavar="RUN_FOLDER", help=RESUME)
    parser.add_argument("--ckpt_path", type=str | None, help="Checkpoint to start from, such as .../last.ckpt.")
    parser.add_argument("--weights_only", type=bool | None, help="Whether it is read without running code it holds.")
    return parser


def read(command: str, args: Sequence[str], parser: FederatedArgumentParser | None = None) -> Request:
    """Reads and checks the settings of a command, without making anything of them.

    Args:
        command: One of those of `make_parser`.
        args: Its arguments.
        parser: None makes one, which takes a tenth of a second.

    Raises:
        InputError: If settings cannot work, or the checkpoint is not one of a run like this.
        Stopped: If the run that is to go on is finished.
    """
    parser = parser or make_parser(command)
    earlier, words = _earlier_run(args) if command == "fit" else (None, args)
    request = _parsed(parser, words)._replace(earlier=earlier)
    settings, path = request.settings, request.settings.ckpt_path
    check_settings(settings, command)
    if earlier is not None:
        earlier.check(request.plain, _parsed(parser, [_config_in(earlier.folder)]).plain)
    elif command == "data":  # which takes a run's config.yaml, but nothing from its checkpoint
        settings.ckpt_path = None
    elif path is not None:
        check_checkpoint(Path(path), settings.trainer.max_steps if command == "fit" else None)
    elif command != "fit":
        raise InputError(f"flt {command} needs a trained model: pass --ckpt_path runs/.../checkpoints/last.ckpt")
    return request


def keep_apart(request: Request, args: Sequence[str]) -> None:
    """Keeps a new run out of a folder that holds one: its settings' logger is changed if it repeats that run.

    Raises:
        InputError: If a run with other settings is there; ``args`` go into the command that would do.
    """
    trainer = request.settings.trainer
    folder = occupied(trainer.logger) if request.earlier is None else None
    if folder is not None:
        check_repeats(folder, _parsed(request.parser, [_config_in(folder)]).plain, request.plain, args)
        trainer.logger = apart(trainer.logger)


def _earlier_run(args: Sequence[str]) -> tuple[EarlierRun | None, Sequence[str]]:
    """The run that ``--resume`` names, None without it; and the arguments with that run's settings in its place."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--resume", nargs="?", const="")
    given, left = parser.parse_known_args(args)
    if given.resume is None:
        return None, left
    earlier = EarlierRun.of(Path(given.resume).expanduser())
    return earlier, [_config_in(earlier.folder), *left]


def _config_in(folder: Path) -> str:
    return f"--config={folder / 'config.yaml'}"


def _parsed(parser: FederatedArgumentParser, words: Sequence[str]) -> Request:
    settings: Namespace = parser.parse_args(words)
    if settings.pop("resume", None) is not None:  # which is no setting of a run
        raise InputError("resume cannot stand in a file: pass --resume RUN_FOLDER")
    return Request(parser, settings)
