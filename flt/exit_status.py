"""From a command to its exit status: what goes wrong is told in one line."""

import logging
import os
import sys
import warnings
from collections.abc import Callable

from lightning.fabric.utilities.exceptions import MisconfigurationException

from flt.parsing import input_error


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command.

    Args:
        command: What to run; it may return a status of its own.

    Returns:
        That, or 0, or 2 after a mistake in the input, which is explained in one line on standard error.
    """
    _set_up()
    try:
        return command() or 0
    except (ValueError, MisconfigurationException) as error:
        explained = error if isinstance(error, MisconfigurationException) else input_error(error)
        if explained is None:  # a bug, or a mistake in a user's own class: its traceback is worth seeing
            raise
        print(f"flt: error: {' '.join(str(explained).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"flt: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def _set_up() -> None:
    """Settles what is said where, and where a user's own classes are looked for."""
    # A console script does not look for modules in the working directory, where a user's own rule lies. In full, as the
    # folder of a configuration file is the working directory while it is read.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    own = logging.getLogger("flt")
    own.setLevel(logging.INFO)
    own.handlers = [_StandardError()]
    # Lightning 2.6 calls what torch 2.15 deprecates; nothing a user could do about it.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated", module="lightning")
    # Lightning's word about its own record of best checkpoints whenever a run goes on in another folder.
    warnings.filterwarnings("ignore", message="The dirpath has changed")
    # Short runs log their last round whatever the interval.
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    warnings.formatwarning = lambda message, *_, **__: f"flt: warning: {message}\n"


class _StandardError(logging.Handler):
    """Prints to whatever standard error is at the time: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"flt: {record.getMessage()}", file=sys.stderr)
