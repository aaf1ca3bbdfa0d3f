"""What ends a command, and what is left of it: an exit status and one line."""

import errno
import os
import signal
import sys
import time
from functools import partial
from typing import Any

import pytest

from flt import errors
from flt.cli.exit_status import exit_status
from flt.errors import InputError, Stopped


def ending(error):
    """A command that raises ``error`` in code of this project."""
    ours: dict[str, Any] = {}
    exec(compile("def fail(error): raise error", errors.__file__, "exec"), ours)  # noqa: S102  # its own text
    return partial(ours["fail"], error)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (InputError("a=1 must\n  be 2"), 2, "flt: error: a=1 must be 2\n"),
        (Stopped("nothing is left to do", 0), 0, "flt: nothing is left to do\n"),
        (Stopped("", 130), 130, ""),
        (KeyboardInterrupt(), 130, "flt: stopped by Ctrl-C\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.txt"), 2, "flt: error: a.txt: No such file\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a.txt"),
            1,
            "flt: error: a.txt cannot be written (No space left on device): free some space\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_one_line(error, status, told, capsys):
    assert exit_status(ending(error)) == status
    assert capsys.readouterr() == ("", told)


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError(errno.EIO, "without a file")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        exit_status(ending(error))


def test_a_reader_that_has_seen_enough(monkeypatch, capfd):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert exit_status(lambda: print("a line")) == 141
    assert capfd.readouterr().err == ""


def test_sigterm(capsys):
    def command():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        return 0

    assert exit_status(command) == 143
    assert capsys.readouterr().err == "flt: stopped by SIGTERM\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_who_listens_to_sigterm_already_goes_on_to_do_so():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        assert exit_status(lambda: signal.raise_signal(signal.SIGTERM)) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
