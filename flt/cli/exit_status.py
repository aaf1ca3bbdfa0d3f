"""From a command to its exit status: what goes wrong is told in one line."""

import errno
import os
import signal
import sys
from collections.abc import Callable

from flt.cli.environment import Terminated, set_up, terminable
from flt.cli.faults import explained, message_of
from flt.errors import Stopped

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def exit_status(command: Callable[[], int | None]) -> int:
    """Runs a command.

    Args:
        command: What to run; it may return a status of its own.

    Returns:
        That, or 0, or 2 after a mistake in the input, 1 where a disk is full, 130 after Ctrl-C and 143 after SIGTERM,
        which are explained in one line on standard error; 141 where nobody reads the output any more.
    """
    try:
        set_up()
        with terminable():
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
    except BrokenPipeError:  # who reads the output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where Python flushes what is left at its exit
        return 128 + signal.SIGPIPE
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            print(f"flt: {no_space(error)}", file=sys.stderr)
            return 1
        mistake = explained(error)
        if mistake is None:
            raise
        print(f"flt: error: {message_of(mistake)}", file=sys.stderr)
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
