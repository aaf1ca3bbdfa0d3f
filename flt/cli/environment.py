"""What a command finds and leaves in its process: streams, signals, warnings, where modules are looked for."""

import ctypes
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from flt.errors import InputError

NUMBERS = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "JSM_NAMESPACE_RANK", "SLURM_PROCID", "SLURM_LOCALID"),
    *("SLURM_NODEID", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "MASTER_PORT"),
)
"""Environment variables in which launchers tell a process its place, and which torch and Lightning read."""

UNHELPFUL = (
    ".*LeafSpec.*is deprecated",  # Lightning 2.6 calls what torch 2.15 deprecates
    "The dirpath has changed",  # Lightning's own record of best checkpoints where a run goes on in another folder
    "Checkpoint directory .* exists and is not empty",  # as is meant where a run goes on in its own
    # Of a predict or a test without a logger, and so without checkpoints of its own; other callbacks are told.
    r'Be aware that when using `ckpt_path`, callbacks .*: \["ModelCheckpoint\{[^{]*\}"\]\.',
    "The number of training batches .* is smaller than the logging interval",  # the last round is always logged
    "There is a performance drop because we have not yet implemented",  # whether vectorising pays is measured
)
"""Warnings of libraries about which a user could do nothing."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names and numbers of mallopt(3)


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM, as Slurm and ``kill`` do; it ends as after Ctrl-C."""


@contextmanager
def terminable() -> Iterator[None]:
    """Lets SIGTERM raise `Terminated`, unless someone else has a use for it."""

    def terminate(*_: object) -> NoReturn:
        raise Terminated

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def set_up() -> None:
    """Settles what is said where, and where a user's own classes are looked for, before torch is imported.

    Raises:
        InputError: If an environment variable makes no sense.
    """
    _open_streams()
    for name in NUMBERS:
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            raise InputError(f"the environment has {name}={value!r}, which is to be a whole number: unset it")
    if not os.environ.get("MPLBACKEND", "module://").startswith("module://"):  # as a notebook sets it for itself
        os.environ["MPLBACKEND"] = "agg"  # figures go to files; what a shell has set may not even exist
    # A console script does not look for modules in the working directory, where a user's own rule lies. In full, as the
    # folder of a configuration file is the working directory while it is read.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    _keep_freed_memory()
    set_up_messages()


def set_up_messages() -> None:
    """Shows what `flt` says, and of Lightning only warnings; to be called anew after the first import of Lightning."""
    if any(option.startswith("error") for option in sys.warnoptions):
        # What libraries say to their developers is nothing that a user of this program could mend.
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
    for message in UNHELPFUL:
        warnings.filterwarnings("ignore", message=message)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    own = logging.getLogger("flt")
    own.setLevel(logging.INFO)
    own.handlers = [_StandardError()]
    warnings.formatwarning = lambda message, *_, **__: f"flt: warning: {message}\n"


def _keep_freed_memory() -> None:
    """Lets glibc, where it is the allocator, keep what is freed for what is allocated next.

    It gives large tensors back to the system as soon as they are freed, and the system hands the same memory out again
    in small pages that it has filled with zeros: a tenth to a third of the time of a round of a convolutional network.
    Whoever has set variables of glibc's own (``MALLOC_...``, ``GLIBC_TUNABLES``) has settled this.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def _open_streams() -> None:
    """Opens the standard streams that are closed, or the next file that is opened would take their place."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # for as long as the process lives
            if name == "stdout":
                print("flt: warning: standard output is closed: what would be shown is lost", file=sys.stderr)


class _StandardError(logging.Handler):
    """Prints to whatever standard error is at the time: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = "warning: " if record.levelno >= logging.WARNING else ""
        print(f"flt: {kind}{record.getMessage()}", file=sys.stderr)
