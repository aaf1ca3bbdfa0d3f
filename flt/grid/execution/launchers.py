"""Where the runs of a grid happen: in processes here, on a Ray cluster, through Slurm."""

import logging
import multiprocessing
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from flt.errors import InputError, check_count
from flt.grid.execution.job import Job, Outcome, run
from flt.grid.execution.worker import start, work

POLL_SECONDS = 0.25

Ended = tuple[Job, Outcome]


class Launcher(ABC):
    """Runs jobs somewhere."""

    @abstractmethod
    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        """Runs jobs.

        Args:
            jobs: What to run.
            at_once: Most jobs at a time; None is as many as the place takes.

        Yields:
            Each job when it has ended, and None several times a second in between. Runs that still go on when the
            iterator is closed are ended.
        """


class Local(Launcher):
    """Processes on this machine; ``--jobs`` of them, one unless told otherwise, with the cores shared out evenly.

    Args:
        threads: Threads of each process; null shares the cores out.
    """

    def __init__(self, threads: int | None = None) -> None:
        check_count("local.threads", threads)
        self.threads = threads

    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        """See `Launcher`; a process that dies takes its job with it, no other."""
        processes = min(at_once or 1, len(jobs))
        threads = self.threads or max(1, (os.cpu_count() or 1) // max(1, processes))
        waiting, others = list(reversed(jobs)), set(multiprocessing.active_children())
        # Pools of one process: of a larger one, all processes end with the first that dies.
        pools, idle = list[ProcessPoolExecutor](), list[ProcessPoolExecutor]()
        running: dict[Future[Outcome], tuple[Job, ProcessPoolExecutor]] = {}
        ended: list[Ended] = []
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    if not idle:
                        idle.append(_pool(threads))
                        pools += idle
                    job, pool = waiting.pop(), idle.pop()
                    running[pool.submit(work, job)] = job, pool
                yield from ended  # after the next ones have begun: to hear of an end takes its listener a while
                done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                ended = []
                for future in done:
                    job, pool = running.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        ended.append((job, Outcome("its process died: killed, or out of memory?", 0.0)))
                        continue
                    idle.append(pool)
                    ended.append((job, _failed(error) if error else future.result()))
                if not done:
                    yield None
            yield from ended
        finally:
            # Killed: Lightning answers a polite request at the end of a round, and the process would take the next job.
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)


class Ray(Launcher):
    """A Ray cluster, or one on this machine where none is given; needs ``pip install "flt[ray]"``.

    Args:
        address: Of the cluster, such as "auto" or "ray://head:10001"; null is $RAY_ADDRESS, or this machine.
        cpus: Cores, and threads, of each run.
        gpus: GPUs of each run; a fraction shares one.
    """

    def __init__(self, address: str | None = None, cpus: int = 1, gpus: float = 0.0) -> None:
        if cpus < 1 or gpus < 0:
            raise InputError(
                f"ray.cpus={cpus}, ray.gpus={gpus}: a run needs at least one core, and no fewer GPUs than 0"
            )
        self.address, self.cpus, self.gpus = address, cpus, gpus

    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        """See `Launcher`."""
        try:
            import ray
        except ImportError as error:
            raise InputError('launcher=ray needs Ray: pip install "flt[ray]"') from error
        is_own = not ray.is_initialized()
        try:
            if is_own:
                ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        except (ConnectionError, RuntimeError) as error:
            raise InputError(f"ray.address={self.address}: {error}") from error
        # A run whose machine is lost is started anew, once.
        remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=1)(work)
        waiting, running = [replace(job, threads=self.cpus) for job in reversed(jobs)], dict[Any, Job]()
        try:
            while waiting or running:
                while waiting and (at_once is None or len(running) < at_once):
                    job = waiting.pop()
                    running[remote.remote(job)] = job
                done, _ = ray.wait(list(running), timeout=POLL_SECONDS)
                if not done:
                    yield None
                for reference in done:
                    try:
                        outcome = ray.get(reference)
                    except ray.exceptions.RayError as error:
                        outcome = _failed(error)
                    yield running.pop(reference), outcome
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
            if is_own:
                ray.shutdown()


class Slurm(Launcher):
    """Slurm, through submitit; needs ``pip install "flt[slurm]"``.

    Args:
        partition: Where to queue; null is the cluster's default.
        timeout_min: Longest time of a run, in minutes; one that is cut off goes on when the grid is started again.
        cpus: Cores, and threads, of each run.
        gpus: GPUs of each run.
        memory_gb: Memory of each run, in GB; null is the cluster's default.
        options: Further options of sbatch by name, such as ``{account: me, constraint: h100}``.
        cluster: "slurm", or "local" to try the same without one: processes on this machine.
    """

    def __init__(
        self,
        partition: str | None = None,
        timeout_min: int = 240,
        cpus: int = 1,
        gpus: int = 0,
        memory_gb: float | None = None,
        options: dict[str, Any] | None = None,
        cluster: str = "slurm",
    ) -> None:
        if cluster not in ("slurm", "local"):
            raise InputError(f"slurm.cluster={cluster}: choose slurm or local")
        if cpus < 1 or gpus < 0 or timeout_min < 1:
            raise InputError(
                f"slurm.cpus={cpus}, slurm.gpus={gpus}, slurm.timeout_min={timeout_min}: a run needs at least one core"
                " and one minute"
            )
        self.cpus, self.cluster = cpus, cluster
        self.parameters: dict[str, Any] = {
            "name": "flt",
            "timeout_min": timeout_min,
            "cpus_per_task": cpus,
            "gpus_per_node": gpus,
            "mem_gb": memory_gb,
            "slurm_partition": partition,
            "slurm_additional_parameters": options,
        }

    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        """See `Launcher`."""
        try:
            import submitit
        except ImportError as error:
            raise InputError('launcher=slurm needs submitit: pip install "flt[slurm]"') from error
        folder = _common_folder(jobs) / ".submitit"
        try:
            executor = submitit.AutoExecutor(folder, cluster=self.cluster)
        except RuntimeError as error:
            raise InputError(f"slurm.cluster={self.cluster}: {error}") from error
        given = {name: value for name, value in self.parameters.items() if value is not None}
        executor.update_parameters(**given)
        waiting, running = [replace(job, threads=self.cpus) for job in reversed(jobs)], list[tuple[Any, Job]]()
        try:
            while waiting or running:
                count = len(waiting) if at_once is None else min(len(waiting), at_once - len(running))
                batch = [waiting.pop() for _ in range(count)]
                if batch:
                    running += list(zip(executor.map_array(run, batch), batch, strict=True))
                for pair in [pair for pair in running if pair[0].done()]:
                    running.remove(pair)
                    yield pair[1], self._outcome_of(pair[0])
                time.sleep(POLL_SECONDS)
                yield None
        finally:
            for handle, _ in running:
                handle.cancel()

    @staticmethod
    def _outcome_of(handle: Any) -> Outcome:
        try:
            outcome: Outcome = handle.result()
        except Exception as error:  # submitit's own: cut off, lost, or raised over there
            return _failed(error)
        return outcome


def _pool(threads: int) -> ProcessPoolExecutor:
    """A pool of one process that ends with this one."""
    # Spawned: a forked process would share torch's threads with this one.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=start, initargs=(os.getpid(), threads))


def _failed(error: BaseException) -> Outcome:
    return Outcome(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", 0.0)


def _common_folder(jobs: Sequence[Job]) -> Path:
    return Path(os.path.commonpath([job.folder.parent for job in jobs]))
