"""A run that logs to Weights & Biases, offline, and what it left on disk."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from command_line import CONFIGS, FLTRUST, STAND_IN, expected_warnings, parameters_of, run, working_in
from grids import Here, make_grid
from offline_wandb import Definition, OfflineRun, end_wandb, read_offline_run, records
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
    """A run under an attack."""
    return log(tmp_path_factory.mktemp("wandb"))


def log(base: Path, *arguments: str) -> Logged:
    """A finished run's folder and what W&B wrote."""
    with working_in(base, base), pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "offline")
        patched.setenv("WANDB_SILENT", "true")
        try:
            ended = run(*ARGUMENTS, *arguments)
        finally:
            end_wandb()
        assert ended.status == 0, ended.errors
        return Logged(base / "runs/har/version_0", read_offline_run(base / "runs" / "wandb"))


def metrics_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_metric_is_there(logged: Logged) -> None:
    rows = metrics_of(logged.folder)
    steps = logged.offline.with_key("training_loss")
    history = {int(entry["round"]): entry for entry in steps}
    assert len(history) == len(steps)
    assert sorted(history) == [int(row["round"]) for row in rows] == [5, 10, 15, 20]
    assert any(row["attack_success_rate"] for row in rows)
    for row in rows:
        entry = history[int(row["round"])]
        given = {name: float(value) for name, value in row.items() if value and name not in ("data", "step")}
        assert {name: entry[name] for name in given} == given


@pytest.mark.parametrize("who", CLIENTS)
@pytest.mark.parametrize("name", RANGES)
def test_distributions_are_there(logged: Logged, name: str, who: str) -> None:
    steps = logged.offline.with_key(f"{name}/{who}")
    assert [step["round"] for step in steps] == [5, 10, 15, 20]
    assert all("training_loss" in step for step in steps)
    for step in steps:
        histogram = step[f"{name}/{who}"]
        assert histogram["_type"] == "histogram"
        assert sum(histogram["values"]) == CLIENTS[who]
        assert (histogram["bins"][0], histogram["bins"][-1]) == RANGES[name]
        if name == "trust_scores":
            total = step[f"trust_score_{who}"] * CLIENTS[who]
            edges = zip(histogram["values"], histogram["bins"], histogram["bins"][1:], strict=False)
            bounds = [(count * left, count * right) for count, left, right in edges]
            assert sum(left for left, _ in bounds) <= total <= sum(right for _, right in bounds)
        elif name == "norm_ratio_to_root":  # the Scaling attack's are beyond the range
            assert histogram["values"][-1] == (0 if who == "benign" else CLIENTS[who])


def test_nothing_is_compared_with_the_aggregate_where_there_is_a_root_update(logged: Logged) -> None:
    assert not [name for step in logged.offline.history for name in step if "_to_aggregate" in name]


@pytest.fixture(scope="module")
def without_root(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """The same under Krum, without a malicious client."""
    return log(tmp_path_factory.mktemp("krum"), "--aggregation", "Krum", "--attack", "NoAttack")


def test_distributions_without_a_root_update(without_root: Logged) -> None:
    names = {name for step in without_root.offline.history for name in step if "/" in name}
    expected = {"weights/benign", "cosine_to_aggregate/benign", "norm_ratio_to_aggregate/benign"}
    classes = {name for name in metrics_of(without_root.folder)[0] if name.startswith("class_error/")}
    assert names == {*expected, *classes, "trainer/global_step"}
    assert len(classes) == 6
    for step in without_root.offline.with_key("weights/benign"):
        weights, cosines = step["weights/benign"], step["cosine_to_aggregate/benign"]
        assert (weights["values"][0], weights["values"][-1]) == (29, 1)  # one client is the aggregate
        assert cosines["bins"][-1] == pytest.approx(1)


def test_the_x_axis_is_the_round(logged: Logged) -> None:
    offline = logged.offline
    summary = frozenset(["min", "max", "last"])
    for name in metrics_of(logged.folder)[0]:
        if name not in ("data", "step", "round"):
            assert offline.definitions[name] == Definition("round", summary), name
    for name in (*(f"{name}/*" for name in DISTRIBUTIONS), "clients", "curves"):
        assert offline.definitions[name].x_axis == "round"


def test_the_summary_has_the_smallest_and_the_last_error(logged: Logged) -> None:
    errors = [float(row["testing_error_rate"]) for row in metrics_of(logged.folder) if row["testing_error_rate"]]
    assert len(errors) == 2
    found = logged.offline.summary["testing_error_rate"]
    assert (found["min"], found["last"]) == (min(errors), errors[-1])


def test_the_table_of_clients(logged: Logged) -> None:
    (step,) = logged.offline.with_key("clients")
    table = json.loads((logged.offline.files / step["clients"]["path"]).read_text())
    classes = ["walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying"]
    assert table["columns"] == [
        *("client", "examples", *(f"class {name}" for name in classes)),
        *("malicious", "mean trust score", "mean weight"),
    ]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [row["client"] for row in rows] == list(range(30))
    assert all(row["examples"] == sum(row[f"class {name}"] for name in classes) > 0 for row in rows)
    assert sum(row["malicious"] for row in rows) == CLIENTS["malicious"]
    assert sum(row["mean weight"] for row in rows) == pytest.approx(1)
    for who in CLIENTS:
        means = [row["mean trust score"] for row in rows if row["malicious"] == (who == "malicious")]
        logged_means = [float(row[f"trust_score_{who}"]) for row in metrics_of(logged.folder)]
        assert sum(means) / len(means) == pytest.approx(sum(logged_means) / len(logged_means), rel=1e-5)


def test_the_curves_are_those_of_the_run(logged: Logged) -> None:
    (step,) = logged.offline.with_key("curves")
    path = logged.offline.files / step["curves"]["path"]
    with Image.open(path) as sent, Image.open(logged.folder / "curves.png") as own:
        assert sent.size == own.size
        assert sent.tobytes() == own.tobytes()


def test_what_runs_are_grouped_by(logged: Logged, without_root: Logged) -> None:
    names = ("data_used", "rule_used", "attack_used", "seed_used")
    found = [[run.offline.config[name] for name in names] for run in (logged, without_root)]
    assert found == [[STAND_IN, "FLTrust", "ScalingAttack", 0], [STAND_IN, "Krum", "NoAttack", 0]]


def test_the_configuration_is_there(logged: Logged) -> None:
    config = logged.offline.config
    assert logged.offline.project == "flt"
    assert config["data_used"] == STAND_IN
    assert config["seed_everything"] == 0
    assert config["model"]["client_lr"] == 0.003
    assert config["model"]["root_batch_size"] is None
    assert config["data"]["init_args"]["root_size"] == 100
    assert config["aggregation"]["class_path"].endswith("FLTrust")
    assert config["attack"]["init_args"]["fraction"] == 0.2


def test_a_run_has_a_name_a_group_and_tags(logged: Logged) -> None:
    words = ["HAR", "FLTrust", "ScalingAttack"]
    offline = logged.offline
    assert (offline.group, offline.name, offline.tags) == (" · ".join(words), " · ".join([*words, "seed 0"]), words)


def test_the_run_itself_is_as_without_wandb(logged: Logged) -> None:
    assert {path.name for path in logged.folder.iterdir()} >= {"metrics.csv", "config.yaml", "summary.json"}
    assert parameters_of(logged.folder)


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


def test_records_across_blocks() -> None:
    """The reader itself, on a log written by hand: padding, then a record of three chunks."""

    def chunk(kind: int, data: bytes) -> bytes:
        return bytes(4) + len(data).to_bytes(2, "little") + bytes([kind]) + data

    first = b"a" * (32768 - 7 - 7 - 3)
    parts = (b"b" * (32768 - 7), b"c" * (32768 - 7), b"d")
    log = b":W&B" + bytes(3) + chunk(1, first) + bytes(3)
    log += b"".join(chunk(kind, part) for kind, part in zip((2, 3, 4), parts, strict=True))
    assert list(records(log)) == [first, b"".join(parts)]
