"""What a command finds and leaves in its process: streams, signals, warnings, where modules are looked for."""

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM, as Slurm and ``kill`` do; it ends as after Ctrl-C."""


@contextmanager
def terminable() -> Iterator[None]:
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


def set_up() -> None:
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
