"""A process that makes many runs: what it keeps from one to the next, and with whom it ends."""

import gc
import os
import signal
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

from flt.grid.execution.job import Job, Outcome, run

if TYPE_CHECKING:  # it needs torch and Lightning, `flt table --help` does not
    from flt.cli.training import Kept


def work(job: Job) -> Outcome:
    """Runs a job as `run` does, with what the jobs before it in this process have left."""
    outcome = run(job, kept_here())
    _settle()
    return outcome


@cache
def kept_here() -> "Kept":
    """What this process keeps for its next run."""
    from flt.cli.settings import make_parser
    from flt.cli.training import Kept
    from flt.data.kept import KeptData

    return Kept(make_parser("fit"), KeptData())


@cache
def _settle() -> None:
    """Spares what is alive after the first run, modules and the like, the search for garbage after each other."""
    gc.freeze()


def start(parent: int, threads: int) -> None:
    """Prepares a process of a pool.

    Args:
        parent: The process, by its id, with which this one ends.
        threads: Threads of torch.
    """
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that people see; it ends this one
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


def end_with(parent: int) -> None:
    """Makes this process end when ``parent``, by its process id, is gone: a run that nobody waits for is given up."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
