"""One cell as a run: when it counts as finished, how it goes on after a fall, and what is said when it fails."""

import os
import shutil
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import expected_warnings, same_parameters, working_in
from filelock import FileLock
from grids import FEW_ROUNDS, kept, make_grid, write_own_rules

from flt.grid.execution.job import Job, Outcome, run
from flt.grid.execution.run import jobs_of
from flt.module import FederatedModule
from flt.runs.differences import differences

pytestmark = [
    *expected_warnings,
    # Lightning's word about what an earlier run has left, which is to be replaced.
    pytest.mark.filterwarnings("ignore:Experiment logs directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]

ROUNDS = 3


def job_of(out: str, **settings: Any) -> Job:
    """A run of a grid with one cell."""
    given = {**FEW_ROUNDS, "trainer.max_steps": ROUNDS, "aggregation": "own_rules.Raising", **settings}
    (job,) = jobs_of(make_grid({"attack": ["ScalingAttack"]}, settings=given), Path(out).absolute())
    return job


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A run that was never disturbed, in a working directory with a module of somebody's own."""
    base = tmp_path_factory.mktemp("jobs")
    folder = base / "work"
    folder.mkdir()
    with working_in(folder, base):
        write_own_rules()
        Path("repaired").touch()
        job = job_of("undisturbed")
        ended = run(job)
        assert ended.error is None
        assert ended.seconds > 0
        Path("repaired").unlink()
    return job


@pytest.fixture
def place(undisturbed: Job, tmp_path: Path) -> Iterator[Path]:
    """That directory as the working directory; what a test leaves there is removed after it."""
    site = undisturbed.workdir
    with working_in(site, tmp_path):
        with kept(site / "undisturbed"):
            yield site
        (site / "repaired").unlink(missing_ok=True)
        for folder in site.glob("out*"):
            shutil.rmtree(folder)


def same_run(job: Job, other: Job) -> bool:
    """Whether two runs have left the same."""
    metrics = [(each.folder / "metrics.csv").read_bytes() for each in (job, other)]
    summaries = [each.summary() for each in (job, other)]
    for summary in summaries:
        assert summary is not None
        del summary["seconds"]
    return same_parameters(job.folder, other.folder) and metrics[0] == metrics[1] and summaries[0] == summaries[1]


@pytest.fixture(scope="module")
def left(undisturbed: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run has left that failed in its second round."""
    with working_in(undisturbed.workdir, tmp_path_factory.mktemp("left")):
        job = job_of("out")
        assert run(job).error is not None
        assert job.checkpoint.is_file()
        return Path("out").rename(undisturbed.workdir / "left")


@pytest.fixture
def failed(place: Path, left: Path) -> Job:
    """That run."""
    shutil.copytree(left, "out")
    return job_of("out")


# Where things are


def test_files(place: Path, undisturbed: Job) -> None:
    job = undisturbed
    assert job.folder == place / "undisturbed" / "cells" / "scalingattack" / "seed_0"
    assert {path.name for path in job.folder.parent.iterdir()} == {
        *("seed_0", "seed_0.yaml", "seed_0.log", ".seed_0.lock")
    }
    assert {path.name for path in job.folder.iterdir()} == {
        *("config.yaml", "metrics.csv", "summary.json", "curves.png", "checkpoints")
    }
    assert "Summary" in job.log.read_text()
    assert yaml.safe_load(job.config.read_text()) == yaml.safe_load(job.settings)
    assert job.differences() == []
    summary = job.summary()
    assert summary is not None
    assert summary["rounds"] == ROUNDS
    assert replace(job, rounds=ROUNDS + 1).summary() is None  # with more rounds, it would not be finished
    assert run(job) == Outcome(None, 0.0)


def test_threads_are_no_part_of_what_a_job_is() -> None:
    job = Job(Path("a"), "", 3, Path("b"))
    assert replace(job, threads=4) == job
    assert hash(replace(job, threads=4)) == hash(job)
    assert replace(job, rounds=4) != job


# Finished or not


@pytest.mark.parametrize("content", [None, '{"rounds": 3', "[3]"])
def test_not_finished(tmp_path: Path, content: str | None) -> None:
    job = Job(tmp_path / "run", "", ROUNDS, tmp_path)
    job.folder.mkdir()
    if content is not None:
        (job.folder / "summary.json").write_text(content)
    assert job.summary() is None


@pytest.mark.parametrize(
    ("content", "rounds"),
    [
        (None, 0),
        ("", 0),
        ("round,loss\n1,0.5\n", 1),
        ("loss,round\n0.5,1\n0.25,20.0\n", 20),
        ("loss,round\n0.5,1\n0.2", 0),
        ("loss\n0.5\n", 0),
        ('data,round\n"A, B",7\n', 7),
    ],
)
def test_rounds_done(tmp_path: Path, content: str | None, rounds: int) -> None:
    job = Job(tmp_path / "run", "", ROUNDS, tmp_path)
    job.folder.mkdir()
    if content is not None:
        (job.folder / "metrics.csv").write_text(content)
    assert job.rounds_done() == rounds


# The same or not


def test_a_changed_setting_is_told(place: Path, undisturbed: Job) -> None:
    job = undisturbed
    assert job.rounds == ROUNDS
    for settings, told in (
        ({"model.client_lr": 0.5}, ["model.client_lr was 0.003, is 0.5"]),
        ({"trainer.max_steps": 4}, ["trainer.max_steps was 3, is 4"]),
        ({"attack.fraction": 0.3}, ["attack.init_args.fraction was 0.2, is 0.3"]),
        ({"trainer.callbacks": [{"class_path": "RunReport"}]}, ["trainer.callbacks was None, is ["]),
    ):
        other = replace(job, settings=job_of("out", **settings).settings)
        differences = other.differences()
        assert len(differences) == len(told), differences
        assert all(found.startswith(words) for found, words in zip(differences, told, strict=True))


def test_a_mapping_that_is_a_value_is_compared_as_a_whole() -> None:
    before, after = ({"attack": {"class_path": "A", "init_args": {"mapping": each}}} for each in ({3: 1}, {0: 2}))
    assert [each.change for each in differences(before, after)] == ["attack.init_args.mapping was {3: 1}, is {0: 2}"]


def test_where_and_how_is_no_difference(place: Path, undisturbed: Job) -> None:
    shutil.copytree("undisturbed", "out")
    settings = {"trainer.enable_progress_bar": True, "trainer.default_root_dir": "elsewhere"}
    assert job_of("out", **settings).differences() == []


@pytest.mark.parametrize("content", ["hello\n", "a: [1\n"])
def test_a_damaged_configuration_is_a_difference(tmp_path: Path, content: str) -> None:
    job = Job(tmp_path / "run", "{}", ROUNDS, tmp_path)
    job.folder.mkdir()
    (job.folder / "config.yaml").write_text(content)
    assert job.differences() == ["its config.yaml is damaged"]


# Going on


@pytest.mark.parametrize("cut", [0, 7])
def test_a_run_goes_on_from_its_checkpoint_even_with_half_a_line_of_metrics(
    failed: Job, undisturbed: Job, cut: int
) -> None:
    metrics = failed.folder / "metrics.csv"
    os.truncate(metrics, metrics.stat().st_size - cut)
    Path("repaired").touch()
    assert run(failed).error is None
    assert "3, from 1" in failed.log.read_text()
    assert same_run(failed, undisturbed)
    assert failed.differences() == []


@pytest.mark.parametrize("damage", ["half", "other program"])
def test_a_broken_checkpoint_means_from_the_start(failed: Job, damage: str, undisturbed: Job) -> None:
    if damage == "half":
        os.truncate(failed.checkpoint, failed.checkpoint.stat().st_size // 2)
    else:
        torch.save({"state_dict": {"w": torch.zeros(2)}}, failed.checkpoint)
    Path("repaired").touch()
    assert run(failed).error is None
    assert ", from" not in failed.log.read_text()
    assert same_run(failed, undisturbed)


def test_a_run_that_ended_before_its_summary(place: Path, undisturbed: Job) -> None:
    shutil.copytree("undisturbed", "out")
    job = job_of("out")
    (job.folder / "summary.json").unlink()
    Path("repaired").touch()
    assert run(job).error is None
    assert same_run(job, undisturbed)


def test_a_job_comes_back_from_its_working_directory(place: Path, tmp_path: Path, undisturbed: Job) -> None:
    Path("repaired").touch()
    job = job_of("out")
    os.chdir(tmp_path)
    assert run(job).error is None
    assert Path.cwd() == tmp_path
    assert same_run(job, undisturbed)


def test_a_run_that_still_goes_on_elsewhere_is_waited_for(place: Path, undisturbed: Job) -> None:
    """As under Slurm, where runs outlive a killed ``flt table``: two never write into one folder."""
    job = job_of("out")
    job.folder.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        with FileLock(job.lock):
            second = pool.submit(run, job)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
            assert not job.config.exists()
            shutil.copytree(undisturbed.folder, job.folder, dirs_exist_ok=True)
        with kept(job.folder):
            assert second.result(timeout=60) == Outcome(None, 0.0)
    assert not job.log.exists()


def test_nothing_of_a_run_outlives_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of one that ends well nor of one that fails: a worker of a grid runs many."""
    kept: list[weakref.ref[Any]] = []
    setup = FederatedModule.setup

    def noting(self: FederatedModule, stage: str) -> None:
        setup(self, stage)
        kept.extend(map(weakref.ref, (self, self.data, self.data.clients.features, self.data.test.features)))

    monkeypatch.setattr(FederatedModule, "setup", noting)
    assert run(job_of("out")).error is not None
    Path("repaired").touch()
    assert run(job_of("out")).error is None
    assert len(kept) == 8
    assert not any(each() is not None for each in kept)


# Failing


def test_a_mistake_in_somebodys_own_code(failed: Job) -> None:
    """It is tried again from the checkpoint, which stays."""
    before = failed.checkpoint.read_bytes()
    ended = run(failed)
    assert ended.error is not None
    assert ended.error.startswith("RuntimeError: a mistake in somebody's own code (")
    trace = Path(ended.error.partition("traceback in ")[2])
    assert "own_rules.py" in trace.read_text()
    assert failed.checkpoint.read_bytes() == before
    assert "3, from 1" in failed.log.read_text()
    assert failed.summary() is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"aggregation": "TrimmedMean", "aggregation.trim": 15}, "trim=15"),
        ({"aggregation": "own_rules.Refusing"}, "own.factor=3 is too large"),
        ({"data.stand_in": "never", "data.data_dir": "nowhere"}, "cannot be reached"),
    ],
)
def test_a_mistake_in_the_settings(place: Path, settings: dict[str, Any], error: str) -> None:
    job = job_of("out", **settings)
    ended = run(job)
    assert ended.error is not None
    assert error in ended.error
    assert "\n" not in ended.error
    assert "flt: error" not in ended.error
    assert f"flt: error: {ended.error}\n" in job.log.read_text()
    assert "Traceback" not in job.log.read_text()
    assert job.summary() is None


def test_code_that_ends_the_process_ends_its_run_and_nothing_is_printed(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of("out", aggregation="own_rules.Ending")
    capsys.readouterr()
    assert run(job).error == f"SystemExit: 3 (see {job.log})"
    assert capsys.readouterr() == ("", "")
