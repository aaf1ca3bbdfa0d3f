"""Where a new run lands: never in a folder that holds one already."""

import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from flt.errors import InputError
from flt.runs.differences import Difference, differences, listed
from flt.runs.resume import first_logger, is_free, kind_of

PLACES = {"CSVLogger": ("name", "version"), "WandbLogger": ("project", "id")}
"""The settings of a logger that name the folder of a run, below its ``save_dir``."""


def place_of(loggers: Any) -> tuple[Path, str | None] | None:
    """Where the first of some loggers writes.

    Args:
        loggers: The settings of loggers, or of the only one.

    Returns:
        The folder of its runs, and the name of this one in it, None for one that the logger finds itself; None alone
        where it writes into no folder.
    """
    first = first_logger(loggers)
    if kind_of(first) not in PLACES:
        return None
    name, version = (first.init_args.get(place) for place in PLACES[kind_of(first)])
    return Path(first.init_args.get("save_dir") or ".") / str(name or ""), version if isinstance(version, str) else None


def occupied(loggers: Any) -> Path | None:
    """The folder into which the first of some loggers would write, if it holds a run.

    Args:
        loggers: The settings of loggers, or of the only one.

    Returns:
        The folder; None where the folder is free, or gets a number of its own.
    """
    place, name = place_of(loggers) or (None, None)
    if place is None or name is None:
        return None
    folder = place / name
    return folder if (folder / "config.yaml").is_file() else None


def apart(loggers: Any) -> Any:
    """The settings of loggers, of which the first finds a free folder beside the one that it named."""
    first = first_logger(loggers).clone()
    first.init_args[PLACES[kind_of(first)][1]] = None
    return [first, *loggers[1:]] if isinstance(loggers, list) else first


def check_repeats(folder: Path, own: Mapping[str, Any], given: Mapping[str, Any], args: Sequence[str]) -> None:
    """Raises an `InputError` unless a run has the settings of the one whose folder it names; says where it lands.

    Args:
        folder: The folder that both name.
        own: Settings of the run that is there.
        given: Settings of the new run.
        args: The arguments of ``flt fit``, to put into the command that would do.
    """
    found = [each for each in differences(own, given) if not is_free(each) or each.setting == "trainer.max_steps"]
    if found:
        command = _more_rounds(folder, found) or _elsewhere(args)
        raise InputError(f"{folder} holds a run with other settings ({listed(found, 'there')}): {command}")
    rank_zero_only(logging.getLogger("flt").info)(f"{folder} holds this run: it is repeated in a new folder beside it")


def _more_rounds(folder: Path, found: Sequence[Difference]) -> str | None:
    """The command that trains a run further; None if that is not what differs."""
    further = [each for each in found if each.setting == "trainer.max_steps" and is_free(each)]
    if not further or not {each.setting for each in found} <= {"trainer.max_steps", "ckpt_path"}:
        return None
    steps = further[0].given
    return f"to train it further, flt fit --resume {shlex.quote(str(folder))} --trainer.max_steps {steps}"


def _elsewhere(args: Sequence[str]) -> str:
    """The command that makes the same run in a folder of its own."""
    own_place = "--trainer.logger CSVLogger --trainer.logger.save_dir runs --trainer.logger.name flt"
    return f"for a run of its own, flt fit {shlex.join(args)} {own_place}"
