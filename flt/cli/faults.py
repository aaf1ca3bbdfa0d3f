"""What an exception that ends a command means: a mistake in the settings, a fault of a plug-in, or a bug."""

import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from flt.errors import InputError, PluginError, chain, is_own, one_line, own_frame

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
"""Matches the names of environment variables whose values are shown to nobody."""

MEMORY = re.compile(r"can't allocate memory|out of memory|Storage size calculation overflowed", re.IGNORECASE)
"""Matches what torch says where memory is not enough."""

LESS_MEMORY = "lower data.batch_size, model.local_steps, model.clients_per_chunk or model.clients_per_round"


def explained(error: Exception) -> Exception | None:
    """The mistake that an exception is or comes from; None for a bug, whose traceback is worth seeing.

    What comes out of a user's own class is a mistake there; what comes up while a run is made and set up, before its
    first round, is a mistake in its settings, whoever finds it; later on, what Lightning itself says is one, too.
    """
    mistake = input_error(error) or _misconfiguration(error)
    in_own_code = any(map(own_frame, chain(error)))
    if mistake is not None:
        return mistake
    if not in_own_code and isinstance(error, OSError) and error.filename is not None:
        return InputError(f"{error.filename}: {error.strerror}")
    if isinstance(error, Warning):
        return InputError(f"{error} (a warning, which -W error or PYTHONWARNINGS makes an error)")
    if isinstance(error, MemoryError) or MEMORY.search(str(error)):
        fault = PluginError(f"there is not enough memory ({one_line(error)}): {LESS_MEMORY}")
    elif in_own_code or _is_of_settings(error):
        fault = PluginError(_made(error) + one_line(error))
    else:
        return None
    fault.__cause__ = error
    return fault


def message_of(mistake: Exception) -> str:
    """The line that tells a mistake; it ends with the path of the traceback where a plug-in raised it."""
    text = " ".join(str(mistake).split())
    if isinstance(mistake, PluginError):
        path = write_traceback(mistake)
        text += f"; traceback in {path}" if path else ""
    return without_secrets(text)


def write_traceback(error: Exception) -> Path | None:
    """Writes the traceback of an exception and of what caused it.

    Returns:
        The file: ``traceback.txt`` in the folder of a run that has begun, or one in the temporary folder; None where
        neither can be written.
    """
    text = without_secrets("".join(traceback.format_exception(error.__cause__ or error)))
    folder = _folder_of_run(error.__cause__ or error)
    try:
        if folder is not None:
            path = folder / "traceback.txt"
        else:
            handle, name = tempfile.mkstemp(prefix="flt-traceback-", suffix=".txt")
            os.close(handle)
            path = Path(name)
        path.write_text(text)
    except OSError:
        return None
    return path


def without_secrets(text: str) -> str:
    """A text with stars in place of the values of environment variables that hold keys and passwords."""
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) >= 6:
            text = text.replace(value, "***")
    return text


def input_error(error: BaseException | None) -> InputError | None:
    """The `InputError` that ``error`` is or was caused by, if there is one.

    A package that a class needs and that is not installed, such as a logger's, counts as one.
    """
    named = re.search(r"class_path '(?:\w+\.)*(\w+)'", str(error))
    for each in chain(error):
        if isinstance(each, InputError):
            return each
        if isinstance(each, ModuleNotFoundError):
            return InputError(f"{named[1] if named else 'a class'} needs a package that is not installed: {each}")
    return None


def _made(error: Exception) -> str:
    """Which of a user's classes could not be made, where an exception came out of its ``__init__``."""
    for each in chain(error):
        for frame in _frames(each):
            if frame.f_code.co_name == "__init__" and "self" in frame.f_locals and is_own(frame.f_code.co_filename):
                return f"{type(frame.f_locals['self']).__name__} cannot be made: "
    return ""


def _misconfiguration(error: Exception) -> Exception | None:
    module = sys.modules.get("lightning.fabric.utilities.exceptions")  # not imported for the sake of this question
    return error if module and isinstance(error, module.MisconfigurationException) else None


def _is_of_settings(error: Exception) -> bool:
    """Whether an exception came up in an import, before a run's first round, or in Lightning outside of a round."""
    frames = list(_frames(error))
    if any(frame.f_code.co_name == "<module>" for frame in frames):  # a library that something keeps from starting
        return True
    if not any(_module(frame) == "flt.cli.training" for frame in frames):
        return False
    loop = _position(frames, "lightning.pytorch.loops.fit_loop", "_FitLoop", "advance")
    return loop is None or not any(_module(frame).startswith(("flt.", "callbacks.")) for frame in frames[loop:])


def _folder_of_run(error: BaseException) -> Path | None:
    """The folder of the run in which an exception came up, once the run has written its settings there."""
    frames = list(_frames(error))
    position = _position(frames, "lightning.pytorch", "Trainer", "fit")
    if position is None:
        return None
    from flt.runs.folder import run_folder  # here, as it needs Lightning, which is there by now

    folder = run_folder(frames[position].f_locals["self"])
    return folder if folder is not None and (folder / "config.yaml").is_file() else None


def _frames(error: BaseException) -> Iterator[FrameType]:
    last = error.__traceback__
    while last is not None:
        yield last.tb_frame
        last = last.tb_next


def _position(frames: list[FrameType], module: str, name: str, method: str) -> int | None:
    """Where the method of a class stands among the frames; None if it does not, or if its module is not imported."""
    kind: Any = getattr(sys.modules.get(module), name, None)
    for position, frame in enumerate(frames):
        if kind and isinstance(frame.f_locals.get("self"), kind) and frame.f_code.co_name == method:
            return position
    return None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))
