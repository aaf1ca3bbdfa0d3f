"""From a command to its exit status: what ends it is told in one line."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from flt.cli.environment import Terminated, set_up, terminable
from flt.cli.faults import explained, message_of
from flt.errors import Stopped


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command: the status that it returns, or 0, or that of its `ending`, which is told on standard error."""
    try:
        set_up()
        with terminable():
            status = command() or 0
            sys.stdout.flush()
            return status
    except (Exception, KeyboardInterrupt) as error:
        ended = ending(error)
        if ended is None:
            raise
    if str(ended):
        print(f"flt: {ended}", file=sys.stderr)
    return ended.status


def ending(error: BaseException, remedy: str = "", folder: Path | None = None, **known: bool) -> Stopped | None:
    """The line and the exit status with which an exception ends a command; None for a bug and other ends.

    Args:
        error: What ends it: Ctrl-C (status 130), SIGTERM (143), a full disk (1), a mistake (2), a closed pipe (141).
        remedy: How to go on after the first three.
        folder: Where the traceback of a mistake goes.
        known: What `explained` asks for.
    """
    if isinstance(error, Stopped):
        return error
    interrupt = error.__context__ if isinstance(error, SystemExit) else error  # Lightning's way out after Ctrl-C
    if isinstance(interrupt, KeyboardInterrupt):
        name, number = ("SIGTERM", signal.SIGTERM) if isinstance(interrupt, Terminated) else ("Ctrl-C", signal.SIGINT)
        return Stopped(f"stopped by {name}{remedy}", 128 + number)
    if isinstance(error, BrokenPipeError):  # who reads the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes what is left at its exit
        return Stopped("", 128 + signal.SIGPIPE)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        name = error.filename or "a file"
        return Stopped(f"error: {name} cannot be written ({error.strerror}): free some space{remedy}", 1)
    mistake = explained(error, **known) if isinstance(error, Exception) else None
    return Stopped(f"error: {message_of(mistake, folder)}", 2) if mistake else None
