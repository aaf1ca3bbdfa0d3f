"""What an exception means: a mistake in the settings, a fault of a plug-in, or a bug."""

import os
import re
import tempfile
import traceback
from pathlib import Path

from flt.cli.messages import without_internals
from flt.errors import InputError, PluginError, chain, one_line, own_frame

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
"""Matches the names of environment variables whose values are shown to nobody."""

MEMORY = re.compile(r"can't allocate memory|out of memory|Storage size calculation overflowed", re.IGNORECASE)
"""Matches what torch says where memory is not enough."""

LESS_MEMORY = (
    "lower data.batch_size, model.local_steps, model.local_epochs, model.clients_per_chunk or model.clients_per_round"
)


def explained(error: Exception, *, is_early: bool = False) -> InputError | None:
    """The mistake that an exception is or comes from; None for a bug, whose traceback is worth seeing.

    What comes out of a user's own class is a mistake there. What comes up before a run's first round, ``is_early``, is
    a mistake in the settings, whoever finds it.
    """
    for each in chain(error):
        if isinstance(each, InputError):
            return each
        if isinstance(each, ModuleNotFoundError):  # of a class such as a logger
            named = re.search(r"class_path '(?:\w+\.)*(\w+)'", str(error))
            return InputError(f"{named[1] if named else 'a class'} needs a package that is not installed: {each}")
    is_in_own_code = any(map(own_frame, chain(error)))
    if isinstance(error, OSError) and error.filename is not None and not is_in_own_code:
        return InputError(f"{error.filename}: {error.strerror}")
    if isinstance(error, Warning):
        return InputError(f"{error} (a warning, which -W error or PYTHONWARNINGS makes an error)")
    # Lightning's, not imported for the sake of this question; and what it says of a metric that nothing logs.
    if type(error).__name__ == "MisconfigurationException" or str(error).startswith("Early stopping conditioned on"):
        return InputError(str(error))
    text = without_internals(one_line(error))
    if isinstance(error, MemoryError) or MEMORY.search(text):
        text = f"there is not enough memory ({text}): {LESS_MEMORY}"
    elif not (is_in_own_code or is_early):
        return None
    fault = PluginError(text)
    fault.__cause__ = error
    return fault


def message_of(mistake: InputError, folder: Path | None = None) -> str:
    """The line that tells a mistake; of a plug-in's, a traceback goes to the folder, or among temporary files."""
    text = " ".join(str(mistake).split())
    path = _write_traceback(mistake, folder) if isinstance(mistake, PluginError) else None
    return _without_secrets(f"{text}; traceback in {path}" if path else text)


def _write_traceback(fault: PluginError, folder: Path | None) -> Path | None:
    """Writes the traceback of what a fault comes from; its path, or None where it cannot be written."""
    text = _without_secrets("".join(traceback.format_exception(fault.__cause__ or fault)))
    try:
        if folder is None:
            with tempfile.NamedTemporaryFile("w", prefix="flt-traceback-", suffix=".txt", delete=False) as file:
                file.write(text)
            return Path(file.name)
        (folder / "traceback.txt").write_text(text)
        return folder / "traceback.txt"
    except OSError:
        return None


def _without_secrets(text: str) -> str:
    """A text with stars in place of the values of environment variables that hold keys and passwords."""
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) >= 6:
            text = text.replace(value, "***")
    return text
