"""One cell as a run of ``flt fit``: its files, whether it is finished, and running it."""

import contextlib
import csv
import gc
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from filelock import FileLock

from flt.cli.exit_status import exit_status
from flt.files import write_atomically
from flt.runs.differences import differences, essence
from flt.runs.summary import finished_summary

if TYPE_CHECKING:  # it needs torch and Lightning, `flt table --help` does not
    from flt.cli.training import Kept

REFUSED = 2  # exit status after a mistake in the input


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        error: What went wrong, in one line; None if nothing did.
        seconds: Time that it took.
    """

    error: str | None
    seconds: float


@dataclass(frozen=True)
class Job:
    """A run that may happen in another process or on another machine with the same files.

    Attributes:
        folder: The run's folder; beside it lie its configuration, its log and its lock.
        settings: The content of its configuration file.
        rounds: How many rounds it has.
        workdir: The working directory, from which the settings' relative paths start.
        threads: Threads of torch; None leaves them alone. Launchers set them: jobs are the same without.
    """

    folder: Path
    settings: str
    rounds: int
    workdir: Path
    threads: int | None = field(default=None, compare=False)

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder.with_name(f"{self.folder.name}.yaml")

    @property
    def log(self) -> Path:
        """What the run prints."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def lock(self) -> Path:
        """Held while the run goes on."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    @property
    def checkpoint(self) -> Path:
        """What an interrupted run goes on from."""
        return self.folder / "checkpoints" / "last.ckpt"

    def summary(self) -> dict[str, Any] | None:
        """The content of the finished run's ``summary.json``; None if it is not finished."""
        summary = finished_summary(self.folder)
        return summary if summary is not None and summary["rounds"] == self.rounds else None

    def rounds_done(self) -> int:
        """Rounds that the run has logged so far."""
        try:
            *_, last = csv.DictReader((self.folder / "metrics.csv").read_text().splitlines())
            return int(float(last["round"]))
        except (
            FileNotFoundError,
            ValueError,
            KeyError,
            TypeError,
            OverflowError,
            csv.Error,
        ):  # not there yet, or being written
            return 0

    def differences(self) -> list[str]:
        """Settings in which the run that is there already differs from this job; empty if there is none."""
        try:
            there = yaml.safe_load((self.folder / "config.yaml").read_text())
        except FileNotFoundError:
            return []
        except (yaml.YAMLError, ValueError, RecursionError):
            there = None
        if not isinstance(there, dict) or not isinstance(there.get("trainer", {}), dict):
            return ["its config.yaml is damaged"]
        found = differences(essence(there), essence(yaml.safe_load(self.settings)))
        return [each.change for each in found]


def run(job: Job, kept: "Kept | None" = None) -> Outcome:
    """Runs a job in this process, unless it is finished; what it prints goes to its log.

    Args:
        job: The job.
        kept: What earlier runs of this process have left to this one; None for nothing.
    """
    start = time.monotonic()
    if job.threads is not None:
        import torch  # here, as `flt table --help` does not need it

        torch.set_num_threads(job.threads)
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(job.lock), _working_in(job.workdir):
        if job.summary() is not None:  # by someone else, while this process waited for the lock
            return Outcome(None, 0.0)
        write_atomically(job.config, job.settings)
        anew, is_begun = f"--config={job.config}", (job.folder / "config.yaml").is_file()
        status, error = _fit(job, f"--resume={job.folder}" if is_begun else anew, kept)
        if status == REFUSED and is_begun and str(job.checkpoint) in str(error):  # which is damaged
            _, error = _fit(job, anew, kept)
    gc.collect()  # Lightning's trainer, and with it the data, lies in reference cycles, which Python rarely looks for
    return Outcome(error, time.monotonic() - start)


def _fit(job: Job, argument: str, kept: "Kept | None") -> tuple[int, str | None]:
    """Runs ``flt fit``; its exit status, and what went wrong in one line."""
    from flt.cli.training import train_or_evaluate  # here, as it needs torch and Lightning

    def command() -> None:
        train_or_evaluate("fit", [argument], replaces=True, kept=kept)

    with job.log.open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            status = exit_status(command)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            return 1, f"{type(error).__name__}: {' '.join(str(error).split())} (see {job.log})"
        finally:
            if "wandb" in sys.modules:
                sys.modules["wandb"].finish()  # or the next run in this process would log into the same one
    if status:
        return status, job.log.read_text().splitlines()[-1].removeprefix("flt: error: ")
    return 0, None


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Goes to a folder, where a user's own classes are looked for as well, even while a file elsewhere is read."""
    before, path = Path.cwd(), list(sys.path)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
