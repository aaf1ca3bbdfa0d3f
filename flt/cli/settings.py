"""The settings of one run: the parser of ``flt fit``, its evaluations and ``flt data``, and what is read with it."""

import inspect
import json
import pydoc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import Namespace
from lightning.pytorch import Trainer

import flt.models  # noqa: F401  # makes its networks known by short name
from callbacks import FLTrust, NoAttack  # makes all rules and attacks known by short name
from flt.cli.commands import COMMANDS
from flt.cli.help import AllSettings, brief
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


class RunParser(FederatedArgumentParser):
    """The parser of a run's settings, whose help begins with those of this program."""

    def print_help(self, file: Any = None) -> None:
        """Prints the settings of this program and the usual ones of Lightning's trainer."""
        if self.exit_on_error and "trainer" in (self.groups or {}):
            self._print_message(brief(self), file or sys.stdout)
        else:  # of a class
            super().print_help(file)


class Request(NamedTuple):
    """What a command is asked for.

    Attributes:
        parser: What the settings were read with.
        settings: The settings, as they are written down.
        earlier: The run that is to go on; None for a new one.
    """

    parser: FederatedArgumentParser
    settings: Namespace
    earlier: EarlierRun | None = None


def make_parser(command: str) -> FederatedArgumentParser:
    """The parser of the settings of ``flt fit``, ``validate``, ``test``, ``predict`` or ``data``."""
    parser = RunParser(
        prog=f"flt {command}",
        description=COMMANDS[command],
        usage=f"flt {command} [--config FILE] [--SETTING VALUE ...]",
    )
    parser.add_config("Settings from a file; of several, later ones win, and options win over files.")
    parser.add_argument("--help.all", action=AllSettings, help="Show all settings, those of Lightning's trainer, too.")
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
        parser: What to read with; None makes a parser, which takes a tenth of a second.

    Raises:
        InputError: If settings cannot work, or the checkpoint is not one of a run like this.
        Stopped: If the run that is to go on is finished.
    """
    parser = make_parser(command) if parser is None else parser
    earlier, words = _earlier_run(args) if command == "fit" else (None, list(args))
    settings = _parsed(parser, words)
    _check_dict_kwargs(settings)
    check_settings(settings, command)
    path = settings.ckpt_path
    if earlier is not None:
        own = _parsed(parser, earlier.arguments)
        earlier.check(*(_plain(parser, each) for each in (settings, own)))
    elif command == "data":  # which takes a run's config.yaml, but nothing from its checkpoint
        settings.ckpt_path = None
    elif path is not None:
        check_checkpoint(Path(path), settings.trainer.max_steps if command == "fit" else None)
    elif command != "fit":
        raise InputError(f"flt {command} needs a trained model: pass --ckpt_path runs/.../checkpoints/last.ckpt")
    return Request(parser, settings, earlier)


def keep_apart(request: Request, args: Sequence[str]) -> None:
    """Keeps a new run out of a folder that holds one: the same run is repeated beside it, another one is refused.

    Args:
        request: What ``flt fit`` is asked for; its logger's settings are changed.
        args: The arguments of ``flt fit``.

    Raises:
        InputError: If a run with other settings is there.
    """
    parser, settings = request.parser, request.settings
    folder = occupied(settings.trainer.logger) if request.earlier is None else None
    if folder is not None:
        own = _parsed(parser, [f"--config={folder / 'config.yaml'}"])
        check_repeats(folder, _plain(parser, own), _plain(parser, settings), args)
        settings.trainer.logger = apart(settings.trainer.logger)


def _parsed(parser: FederatedArgumentParser, words: Sequence[str]) -> Namespace:
    settings: Namespace = parser.parse_args(words)
    resume = settings.pop("resume", None)  # which is no setting of a run
    if resume is not None:
        raise InputError(f"resume={resume} cannot stand in a file: pass --resume {resume}")
    return settings


def _check_dict_kwargs(settings: Namespace) -> None:
    """Raises an `InputError` for jsonargparse's ``dict_kwargs`` of a class that takes no arguments but named ones."""
    for key, value in settings.items(branches=True):
        if isinstance(value, Namespace) and "dict_kwargs" in value and "class_path" in value:
            kind: Any = pydoc.locate(value.class_path)
            parameters = inspect.signature(kind).parameters.values()
            is_open = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
            if not is_open or value.class_path.startswith(("flt.", "callbacks.")):
                raise InputError(
                    f"{key}.dict_kwargs={value.dict_kwargs}: {kind.__name__} takes no such arguments; leave them out"
                )


def _earlier_run(args: Sequence[str]) -> tuple[EarlierRun | None, list[str]]:
    """The run that ``--resume`` names, None without it; and the arguments with that run's settings in its place."""
    left, folder = list(args), None
    for position, word in enumerate(args):
        name, is_joined, value = word.partition("=")
        if name == "--resume" and (is_joined or position + 1 < len(args)):
            folder = Path(value if is_joined else args[position + 1]).expanduser()
            del left[position : position + (1 if is_joined else 2)]
            break
    if folder is None:
        return None, left
    earlier = EarlierRun.of(folder)
    return earlier, [*earlier.arguments, *left]


def _plain(parser: FederatedArgumentParser, settings: Namespace) -> dict[str, Any]:
    """Settings as nested dictionaries of plain values."""
    plain: dict[str, Any] = json.loads(parser.dump(settings, format="json", skip_none=False))
    return plain
