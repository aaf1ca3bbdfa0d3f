"""A process that makes many runs: what it hands on from one to the next, and that nothing else stays."""

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import expected_warnings
from grids import FEW_ROUNDS, make_grid, write_own_rules
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import Tensor

from flt.cli.settings import make_parser
from flt.cli.training import Kept
from flt.data.kept import KeptData
from flt.grid.execution.job import Job, run
from flt.grid.execution.run import jobs_of

pytestmark = expected_warnings

RULES = ["FedAvg", "own_rules.Raising", "FLTrust"]
NUM_RUNS, USED_TO_IT = 36, 21  # by which time everything has been imported, and libraries' own caches are full
KINDS = (Trainer, LightningModule, LightningDataModule, Tensor)


def alive() -> dict[Any, int]:
    """How many objects of each kind there are."""
    objects = gc.get_objects()
    return {kind: sum(issubclass(type(each), kind) for each in objects) for kind in KINDS}


def again(job: Job, number: int) -> Job:
    """The same run in another folder."""
    folder = job.folder.with_name(f"run_{number}")
    settings = job.settings.replace(f"version: {job.folder.name}", f"version: {folder.name}")
    return replace(job, folder=folder, settings=settings)


def test_of_late_runs_nothing_stays_alive(place: Path) -> None:
    write_own_rules()  # of which one fails
    grid = make_grid({"aggregation": RULES}, settings={**FEW_ROUNDS, "attack": "ScalingAttack"})
    jobs, kept = list(jobs_of(grid, place)), Kept(make_parser("fit"), KeptData())
    before: dict[Any, int] = {}
    for number in range(NUM_RUNS):
        ended = run(again(jobs[number % len(RULES)], number), kept)
        assert (ended.error is not None) == (number % len(RULES) == 1), ended
        if number == USED_TO_IT - 1:
            before = alive()
    after = alive()
    assert after == before
    assert len(kept.data) == 1
    first, last = (again(jobs[0], number) for number in (0, NUM_RUNS - 3))  # of which the last was handed the data
    assert (first.folder / "metrics.csv").read_bytes() == (last.folder / "metrics.csv").read_bytes()


@pytest.mark.parametrize("change", [{"data.root_size": 50}, {"seed_everything": 1}, {"data.batch_size": 16}])
def test_other_settings_have_data_of_their_own(place: Path, change: dict[str, Any]) -> None:
    kept = Kept(make_parser("fit"), KeptData())
    settings = [{**FEW_ROUNDS, "aggregation": "FedAvg"}, {**FEW_ROUNDS, "aggregation": "FedAvg", **change}]
    seeds = [given.pop("seed_everything", 0) for given in settings]
    for given, seed, out in zip(settings, seeds, ("one", "two"), strict=True):
        (job,) = jobs_of(make_grid({"attack": ["NoAttack"]}, settings=given, seeds=[seed]), place / out)
        assert run(job, kept).error is None
    assert len(kept.data) == 2
