"""From a command to its exit status: what goes wrong is told in one line."""

import errno
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from lightning.fabric.utilities.exceptions import MisconfigurationException

from flt.cli.parser import input_error
from flt.errors import Stopped

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM, as Slurm and ``kill`` do; it ends as after Ctrl-C."""


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command.

    Args:
        command: What to run; it may return a status of its own.

    Returns:
        That, or 0, or 2 after a mistake in the input, 1 where a disk is full, 130 after Ctrl-C and 143 after SIGTERM,
        which are explained in one line on standard error; 141 where nobody reads the output any more.
    """
    _set_up()
    try:
        with _terminable():
            status = command() or 0
            sys.stdout.flush()
            return status
    except Stopped as stopped:
        if str(stopped):
            print(f"flt: {stopped}", file=sys.stderr)
        return stopped.status
    except KeyboardInterrupt as error:
        print(f"flt: {how_stopped(error)}", file=sys.stderr)
        return interrupted_status(error)
    except (ValueError, MisconfigurationException) as error:
        explained = error if isinstance(error, MisconfigurationException) else input_error(error)
        if explained is None:  # a bug, or a mistake in a user's own class: its traceback is worth seeing
            raise
        print(f"flt: error: {' '.join(str(explained).split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who reads the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes what is left at its exit
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno in NO_SPACE:
            print(f"flt: {no_space(error)}", file=sys.stderr)
            return 1
        if error.filename is None:
            raise
        print(f"flt: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def how_stopped(error: KeyboardInterrupt) -> str:
    """What stopped a command, in words."""
    return "stopped by SIGTERM" if isinstance(error, Terminated) else "stopped by Ctrl-C"


def interrupted_status(error: KeyboardInterrupt) -> int:
    """The exit status of a command that was stopped, as shells have it: 128 and the number of the signal."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


def no_space(error: OSError) -> str:
    """What a full disk has prevented, and the remedy."""
    return f"error: {error.filename or 'a file'} cannot be written ({error.strerror}): free some space"


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM raise `Terminated`, unless someone else has a use for it."""

    def terminate(*_: object) -> NoReturn:
        raise Terminated

    is_ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    )
    if is_ours:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
    # As is meant where a run goes on in its own; nothing in it is lost.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # Short runs log their last round whatever the interval.
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    warnings.formatwarning = lambda message, *_, **__: f"flt: warning: {message}\n"


class _StandardError(logging.Handler):
    """Prints to whatever standard error is at the time: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"flt: {record.getMessage()}", file=sys.stderr)
