"""Where runs happen: each place gives the same table, and what goes wrong there stays in its cell."""

import csv
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from command_line import Finished, expected_warnings, run, working_in
from filelock import FileLock
from grids import FEW_ROUNDS, Here, kept, make_grid, write_grid, write_own_rules

from flt.errors import InputError
from flt.grid import Local, Ray, Slurm, run_grid
from flt.grid.execution.job import Job, Outcome
from flt.grid.execution.run import jobs_of

pytestmark = [*expected_warnings, pytest.mark.usefixtures("with_own_rules")]

RULES = ["FedAvg", "FLTrust"]
ONE_THREAD = ("--local.threads", "1")
PATIENCE = 120.0  # seconds after which a test that waits for a process gives up


@pytest.fixture
def with_own_rules(place: Path) -> None:
    """A module of somebody's own in the working directory."""
    write_own_rules()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of two rules, made in this process."""
    base = tmp_path_factory.mktemp("expected")
    with working_in(base, base):
        results = run_grid(make_grid({"aggregation": RULES}), "out", launcher=Here())
        assert results.failures == {}
        return (base / "out" / "table.csv").read_bytes()


def table(*arguments: str, rules: Sequence[str] = RULES, **changes: Any) -> Finished:
    """Runs a grid of rules with a single seed."""
    write_grid(axes={"aggregation": list(rules)}, **{"seeds": [0], "reference": None, **changes})
    return run("table", "--config", "grid.yaml", "--out", "out", *arguments)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


# Processes on this machine


def test_processes_end_when_nobody_waits_any_more(place: Path) -> None:
    grid = make_grid({"aggregation": ["own_rules.Waiting"]}, settings={**FEW_ROUNDS, "trainer.max_steps": 4})
    (job,) = jobs_of(grid, place)
    outcomes = Local(threads=1).outcomes([job], 4)
    wait_until(lambda: next(outcomes) is None and Path("waiting").exists())
    (process,) = multiprocessing.active_children()
    outcomes.close()  # type: ignore[attr-defined]  # a generator
    assert multiprocessing.active_children() == []
    assert process.exitcode == -signal.SIGKILL
    assert job.summary() is None


class Pool:
    """In place of a pool of one process: runs in this one, at the latest when the result is asked for."""

    made: ClassVar[list["Pool"]] = []

    def __init__(self, *_: Any, initargs: tuple[int, int], **__: Any) -> None:
        self.threads = initargs[1]
        Pool.made.append(self)

    def submit(self, function: Callable[[Job], Outcome], job: Job) -> Any:
        future: Future[Outcome] = Future()
        try:
            future.set_result(function(job))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_: Any) -> None:
        pass


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Pool]:
    """The pools that are made; a job's folder decides how it ends."""

    def pretend(job: Job) -> Outcome:
        if job.folder.name == "raising":
            raise MemoryError("too\n  much")
        return Outcome(None, 1.0)

    monkeypatch.setattr("flt.grid.execution.launchers.ProcessPoolExecutor", Pool)
    monkeypatch.setattr("flt.grid.execution.launchers.work", pretend)
    monkeypatch.setattr(Pool, "made", [])
    return Pool.made


def jobs_named(*names: str) -> list[Job]:
    return [Job(Path("/cells") / name, "", 2, Path("/")) for name in names]


@pytest.mark.parametrize(
    ("cores", "at_once", "given", "threads", "num_pools"),
    [
        (8, None, None, 8, 1),
        (2, 3, None, 1, 3),
        (8, 9, None, 2, 3),
        (8, 2, 5, 5, 2),
    ],
)
def test_cores_are_shared_out(
    pools: list[Pool],
    monkeypatch: pytest.MonkeyPatch,
    *,
    cores: int,
    at_once: int | None,
    given: int | None,
    threads: int,
    num_pools: int,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    jobs = jobs_named("a", "b", "c")
    ended = [outcome for outcome in Local(given).outcomes(jobs, at_once) if outcome is not None]
    assert sorted(ended, key=lambda pair: pair[0].folder) == [(job, Outcome(None, 1.0)) for job in jobs]
    assert [pool.threads for pool in pools] == num_pools * [threads]


def test_what_a_process_raises_is_one_line(pools: list[Pool]) -> None:
    first, second = jobs_named("raising", "b")
    ended = dict(outcome for outcome in Local().outcomes([first, second], None) if outcome is not None)
    assert ended == {first: Outcome("MemoryError: too much", 0.0), second: Outcome(None, 1.0)}
    assert len(pools) == 1


def test_nothing_to_run() -> None:
    assert list(Local().outcomes([], None)) == []


# A power failure

COMMAND = (sys.executable, "-W", "ignore", "-c", "from flt.main import console; console()")


def test_a_killed_grid_goes_on_where_it_was_and_a_process_that_dies_takes_its_own_cell_alone(place: Path) -> None:
    rules = ["FedAvg", "own_rules.Waiting", "own_rules.Dying", "FLTrust"]
    settings = {**FEW_ROUNDS, "trainer.max_steps": 4}
    write_grid(axes={"aggregation": rules}, seeds=[0], reference=None, settings=settings)
    arguments = ("table", "--config", "grid.yaml", "--out", "out", *ONE_THREAD)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=subprocess.DEVNULL) as parent:  # noqa: S603  # the command above
        wait_until(lambda: Path("waiting").exists() or parent.poll() is not None)
        parent.send_signal(signal.SIGKILL)
    assert parent.returncode == -signal.SIGKILL
    finished, interrupted, *_ = jobs_of(make_grid({"aggregation": rules}, settings=settings), place / "out")
    assert finished.summary() is not None
    assert interrupted.rounds_done() == 2
    with FileLock(interrupted.lock, timeout=PATIENCE):  # which its process holds as long as it lives
        assert interrupted.summary() is None
    assert len(Path("out/table.csv").read_text().splitlines()) == 2  # a header and the one that has ended

    Path("go").touch()
    with kept(finished.folder):
        ended = run(*arguments)
    assert ended.status == 1
    assert "[2/4] own_rules.Waiting" in ended.output
    assert "FedAvg · seed 0" not in ended.output
    assert re.search("4, from [12] ", interrupted.log.read_text())  # its last checkpoint
    assert "own_rules.Dying · seed 0: its process died: killed, or out of memory?" in ended.output
    assert multiprocessing.active_children() == []
    assert "1 run failed:" in Path("out/table.md").read_text()
    rules.remove("own_rules.Dying")
    run_grid(make_grid({"aggregation": rules}, settings=settings), "undisturbed", launcher=Here())
    for name in ("table.csv", "cells/own_rules.waiting/seed_0/metrics.csv"):
        assert Path("out", name).read_bytes() == Path("undisturbed", name).read_bytes()


# Slurm and Ray, on this machine


def test_slurm(place: Path, expected: bytes) -> None:
    pytest.importorskip("submitit")
    ended = table("--launcher", "slurm", "--slurm.cluster", "local", "--jobs", "1", rules=["FLTrust"])
    assert ended.status == 0, ended.output
    _, row = csv.DictReader(expected.decode().splitlines())
    (found,) = csv.DictReader(Path("out/table.csv").read_text().splitlines())
    assert found == {name: row[name] for name in found}
    assert found.keys() >= {name for name, value in row.items() if value}


def test_no_slurm(place: Path) -> None:
    pytest.importorskip("submitit")
    ended = table("--launcher", "slurm")
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1)
    assert "slurm.cluster=slurm" in ended.errors


def test_ray(place: Path, expected: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=10**8)
    try:
        ended = table("--launcher", "ray")
        assert ended.status == 0, ended.output
        assert Path("out/table.csv").read_bytes() == expected
        assert ray.is_initialized()  # it was there before
    finally:
        ray.shutdown()


@pytest.mark.parametrize("name", ["ray", "slurm"])
def test_a_missing_package(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, {"ray": "ray", "slurm": "submitit"}[name], None)
    launcher = {"ray": Ray, "slurm": Slurm}[name]()
    with pytest.raises(InputError, match=rf'^launcher={name} needs .*pip install "flt\[{name}\]"'):
        list(launcher.outcomes(jobs_named("a"), None))


class Cluster:
    """In place of Ray or submitit: runs a job when it is asked how it ended, and notes what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[Job] = []
        self.most = self.now = 0
        self.told: dict[str, Any] = {}
        self.cancelled: list[Job] = []
        self.is_there = False
        self.error: Exception | None = None
        self.broken: str | None = None
        monkeypatch.setitem(sys.modules, "ray", self._ray())
        monkeypatch.setitem(sys.modules, "submitit", self._submitit())
        monkeypatch.setattr("flt.grid.execution.launchers.POLL_SECONDS", 0)

    def begin(self, job: Job) -> Job:
        self.begun.append(job)
        self.now += 1
        self.most = max(self.most, self.now)
        return job

    def end(self, job: Job) -> Outcome:
        self.now -= 1
        if job.folder.name == self.broken:
            raise LostError("its machine\n  is gone")
        return Outcome(None, 1.0)

    def init(self, *arguments: Any, **settings: Any) -> None:
        if self.error:
            raise self.error
        self.told["init"] = (arguments, settings)
        self.is_there = True

    def shut_down(self) -> None:
        self.is_there = False

    def _ray(self) -> ModuleType:
        ray = ModuleType("ray")

        def remote(**options: Any) -> Callable[[Any], Any]:
            self.told["remote"] = options
            return lambda function: SimpleNamespace(remote=self.begin)

        vars(ray).update(
            init=self.init,
            is_initialized=lambda: self.is_there,
            remote=remote,
            wait=lambda references, timeout: (references[:1], references[1:]),
            get=self.end,
            cancel=lambda reference, force: self.cancelled.append(reference),
            shutdown=self.shut_down,
            exceptions=SimpleNamespace(RayError=LostError),
        )
        return ray

    def _submitit(self) -> ModuleType:
        submitit = ModuleType("submitit")
        cluster = self

        class AutoExecutor:
            def __init__(self, folder: Path, cluster: str) -> None:
                self.told(folder=folder, cluster=cluster)

            def told(self, **settings: Any) -> None:
                cluster.told |= settings

            update_parameters = told

            def map_array(self, function: Any, jobs: list[Job]) -> list[Any]:
                return [handle(cluster.begin(job)) for job in jobs]

        def handle(job: Job) -> Any:
            return SimpleNamespace(
                done=lambda: job in cluster.begun,
                result=lambda: cluster.end(job),
                cancel=lambda: cluster.cancelled.append(job),
            )

        vars(submitit)["AutoExecutor"] = AutoExecutor
        return submitit


class LostError(Exception):
    pass


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


CLUSTERS = [lambda: Ray(cpus=3, gpus=0.5), lambda: Slurm(cpus=3, gpus=1)]


@pytest.mark.parametrize("make", CLUSTERS, ids=["ray", "slurm"])
@pytest.mark.parametrize(("at_once", "most"), [(None, 4), (2, 2)])
def test_as_many_at_once_as_told(cluster: Cluster, make: Callable[[], Any], at_once: int | None, most: int) -> None:
    jobs = jobs_named("a", "b", "c", "d")
    ended = dict(outcome for outcome in make().outcomes(jobs, at_once) if outcome is not None)
    assert ended == dict.fromkeys(jobs, Outcome(None, 1.0))
    assert (cluster.begun, cluster.most, cluster.cancelled) == (jobs, most, [])
    assert {job.threads for job in cluster.begun} == {3}
    assert not cluster.is_there


@pytest.mark.parametrize("make", CLUSTERS, ids=["ray", "slurm"])
def test_a_lost_run_is_its_own_cells_failure(cluster: Cluster, make: Callable[[], Any]) -> None:
    cluster.broken = "b"
    first, second, third = jobs_named("a", "b", "c")
    ended = dict(outcome for outcome in make().outcomes([first, second, third], 2) if outcome is not None)
    assert ended == {
        first: Outcome(None, 1.0),
        second: Outcome("LostError: its machine is gone", 0.0),
        third: Outcome(None, 1.0),
    }


@pytest.mark.parametrize("make", CLUSTERS, ids=["ray", "slurm"])
def test_what_still_runs_is_cancelled(cluster: Cluster, make: Callable[[], Any]) -> None:
    jobs = jobs_named("a", "b", "c", "d")
    outcomes = make().outcomes(jobs, 3)
    while next(outcomes) is None:
        pass
    outcomes.close()
    assert len(cluster.cancelled) >= 2
    assert set(cluster.cancelled) <= set(jobs[1:])
    assert not cluster.is_there


def test_what_ray_is_told(cluster: Cluster) -> None:
    list(Ray("auto", cpus=2, gpus=0.25).outcomes(jobs_named("a"), None))
    (arguments, settings), remote = cluster.told["init"], cluster.told["remote"]
    assert arguments == ("auto",)
    assert settings["include_dashboard"] is False
    assert (remote["num_cpus"], remote["num_gpus"], remote["max_retries"]) == (2, 0.25, 1)


def test_a_cluster_that_was_there_before_stays(cluster: Cluster) -> None:
    cluster.is_there = True
    list(Ray().outcomes(jobs_named("a"), None))
    assert cluster.is_there
    assert "init" not in cluster.told


def test_no_ray_at_an_address(cluster: Cluster) -> None:
    cluster.error = ConnectionError("nobody answers")
    with pytest.raises(InputError, match=r"ray\.address=far: nobody answers"):
        list(Ray("far").outcomes(jobs_named("a"), None))


def test_what_slurm_is_told(cluster: Cluster) -> None:
    slurm = Slurm(partition="gpu", timeout_min=30, cpus=2, gpus=1, memory_gb=8, options={"account": "me"})
    list(slurm.outcomes(jobs_named("a", "b"), None))
    assert cluster.told == {
        "folder": Path("/cells/.submitit"),
        "cluster": "slurm",
        "name": "flt",
        "timeout_min": 30,
        "cpus_per_task": 2,
        "gpus_per_node": 1,
        "mem_gb": 8,
        "slurm_partition": "gpu",
        "slurm_additional_parameters": {"account": "me"},
    }
    cluster.told.clear()
    list(Slurm().outcomes(jobs_named("a"), None))
    assert {"mem_gb", "slurm_partition", "slurm_additional_parameters"}.isdisjoint(cluster.told)


# Mistakes


@pytest.mark.parametrize(
    ("make", "mentioned"),
    [
        (lambda: Local(0), "local.threads=0"),
        (lambda: Ray(cpus=0), "ray.cpus=0"),
        (lambda: Ray(gpus=-1), "ray.gpus=-1"),
        (lambda: Slurm(cpus=0), "slurm.cpus=0"),
        (lambda: Slurm(gpus=-1), "slurm.gpus=-1"),
        (lambda: Slurm(timeout_min=0), "slurm.timeout_min=0"),
        (lambda: Slurm(cluster="moon"), "slurm.cluster=moon"),
    ],
)
def test_mistake(make: Callable[[], Any], mentioned: str) -> None:
    with pytest.raises(InputError, match=mentioned):
        make()
