"""A run that logs to Weights & Biases, offline, and what it left on disk."""

import csv
import json
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from command_line import CONFIGS, FLTRUST, STAND_IN, expected_warnings, run, working_in
from grids import Here, make_grid
from offline_wandb import Definition, OfflineRun, end_wandb, read_offline_run
from PIL import Image

from callbacks.reporting.distributions import DISTRIBUTIONS
from flt.grid import run_grid

pytestmark = expected_warnings

ROUNDS = 20
CLIENTS = {"benign": 24, "malicious": 6}
RANGES = {"trust_scores": (-1, 1), "weights": (0, 5 / 30), "cosine_to_root": (-1, 1), "norm_ratio_to_root": (0, 10)}
ARGUMENTS = (
    *("fit", "--config", FLTRUST, "--config", str(CONFIGS / "logger" / "wandb.yaml"), "--data.stand_in", "always"),
    *("--attack", "ScalingAttack", "--trainer.max_steps", str(ROUNDS), "--trainer.log_every_n_steps", "5"),
)


class Logged(NamedTuple):
    folder: Path
    offline: OfflineRun


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """The folder of a run under an attack, and what W&B wrote."""
    base = tmp_path_factory.mktemp("wandb")
    with working_in(base, base), pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "offline")
        patched.setenv("WANDB_SILENT", "true")
        try:
            ended = run(*ARGUMENTS)
        finally:
            end_wandb()
        assert ended.status == 0, ended.errors
        return Logged(base / "runs/har/version_0", read_offline_run(base / "runs" / "wandb"))


def metrics_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_metric_is_there(logged: Logged) -> None:
    start, *rows = metrics_of(logged.folder)
    assert start["round"] in ("0", 0)
    steps = logged.offline.with_key("training_loss")
    history = {int(entry["round"]): entry for entry in steps}
    assert len(history) == len(steps)
    assert sorted(history) == [int(row["round"]) for row in rows] == [5, 10, 15, 20]
    assert any(row["attack_success_rate"] for row in rows)
    for row in rows:
        entry = history[int(row["round"])]
        given = {name: float(value) for name, value in row.items() if value and name not in ("data", "step")}
        assert {name: entry[name] for name in given} == given


def test_distributions_are_there(logged: Logged) -> None:
    for name, who in product(RANGES, CLIENTS):
        steps = logged.offline.with_key(f"{name}/{who}")
        assert [step["round"] for step in steps] == [5, 10, 15, 20]
        for step in steps:
            histogram = step[f"{name}/{who}"]
            assert (histogram["_type"], sum(histogram["values"])) == ("histogram", CLIENTS[who])
            assert (histogram["bins"][0], histogram["bins"][-1]) == RANGES[name]
            assert not [each for each in step if "_to_aggregate" in each]  # as there is a root update
            if name == "norm_ratio_to_root":  # the Scaling attack's are beyond the range
                assert histogram["values"][-1] == (0 if who == "benign" else CLIENTS[who])


def test_the_x_axis_is_the_round(logged: Logged) -> None:
    offline = logged.offline
    summary = frozenset(["min", "max", "last"])
    for name in metrics_of(logged.folder)[0]:
        if name not in ("data", "step", "round"):
            assert offline.definitions[name] == Definition("round", summary), name
    for name in (*(f"{name}/*" for name in DISTRIBUTIONS), "clients", "curves"):
        assert offline.definitions[name].x_axis == "round"


def test_the_table_and_the_curves(logged: Logged) -> None:
    (clients,), (curves,) = (logged.offline.with_key(key) for key in ("clients", "curves"))
    table = json.loads((logged.offline.files / clients["clients"]["path"]).read_text())
    assert table["columns"][:3] == ["client", "examples", "class walking"]
    assert table["columns"][-3:] == ["malicious", "mean trust score", "mean weight"]
    assert [row[0] for row in table["data"]] == list(range(30))
    path = logged.offline.files / curves["curves"]["path"]
    with Image.open(path) as sent, Image.open(logged.folder / "curves.png") as own:
        assert (sent.size, sent.tobytes()) == (own.size, own.tobytes())


def test_names_and_the_configuration(logged: Logged) -> None:
    words, offline = ["HAR", "FLTrust", "ScalingAttack"], logged.offline
    assert (offline.group, offline.name, offline.tags) == (" · ".join(words), " · ".join([*words, "seed 0"]), words)
    used = [offline.config[f"{name}_used"] for name in ("data", "rule", "attack", "seed")]
    assert used == [STAND_IN, "FLTrust", "ScalingAttack", 0]
    assert (offline.project, offline.config["seed_everything"], offline.config["model"]["client_lr"]) == (
        "flt",
        0,
        0.003,
    )
    assert offline.config["data"]["init_args"]["root_size"] == 100


def test_a_grid_is_one_group(tmp_path: Path) -> None:
    base = [FLTRUST, str(CONFIGS / "logger" / "wandb.yaml")]
    grid = make_grid({"aggregation": ["FedAvg", "FLTrust"]}, base=base, title="A grid")
    with working_in(tmp_path, tmp_path), pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_SILENT", "true")
        try:
            assert run_grid(grid, "out", launcher=Here()).failures == {}
        finally:
            end_wandb()
    runs = [read_offline_run(folder) for folder in (tmp_path / "out" / "wandb").glob("offline-run-*")]
    by_rule = {offline.config["rule_used"]: offline for offline in runs}
    assert sorted(by_rule) == ["FLTrust", "FedAvg"]  # a run each, though one process made both
    for rule, offline in by_rule.items():
        assert (offline.group, offline.job_type, offline.project) == ("A grid", "table", "flt")
        assert offline.name == f"{rule} · seed 0"
        assert [step["round"] for step in offline.with_key("training_loss")] == [1, 2]
        assert len(offline.with_key("clients")) == len(offline.with_key("curves")) == 1
