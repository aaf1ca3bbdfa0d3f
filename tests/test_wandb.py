"""A run that logs to Weights & Biases, offline, and what it left on disk."""

import csv
from pathlib import Path
from typing import NamedTuple

import pytest
from command_line import CONFIGS, FLTRUST, STAND_IN, expected_warnings, parameters_of, run, working_in
from offline_wandb import OfflineRun, read_offline_run, records

pytestmark = expected_warnings

ROUNDS = 20
ARGUMENTS = (
    *("fit", "--config", FLTRUST, "--config", str(CONFIGS / "logger" / "wandb.yaml"), "--data.stand_in", "always"),
    *("--attack", "ScalingAttack", "--trainer.max_steps", str(ROUNDS), "--trainer.log_every_n_steps", "5"),
)


class Logged(NamedTuple):
    folder: Path
    offline: OfflineRun


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """The finished run's folder and what W&B wrote."""
    import wandb

    base = tmp_path_factory.mktemp("wandb")
    with working_in(base, base), pytest.MonkeyPatch.context() as patched:
        patched.setenv("WANDB_MODE", "offline")
        patched.setenv("WANDB_SILENT", "true")
        try:
            ended = run(*ARGUMENTS)
        finally:
            wandb.finish()
        assert ended.status == 0, ended.errors
        return Logged(base / "runs/har/version_0", read_offline_run(base / "runs" / "wandb"))


def metrics_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_metric_is_there(logged: Logged) -> None:
    rows = metrics_of(logged.folder)
    history = {int(entry["round"]): entry for entry in logged.offline.history if "round" in entry}
    assert sorted(history) == [int(row["round"]) for row in rows] == [5, 10, 15, 20]
    assert any(row["attack_success_rate"] for row in rows)
    for row in rows:
        entry = history[int(row["round"])]
        given = {name: float(value) for name, value in row.items() if value and name not in ("data", "step")}
        assert {name: entry[name] for name in given} == given


def test_trust_scores_are_there_as_histograms(logged: Logged) -> None:
    clients = {"benign": 24, "malicious": 6}
    for who, count in clients.items():
        histograms = [
            entry[f"trust_scores/{who}"] for entry in logged.offline.history if f"trust_scores/{who}" in entry
        ]
        assert len(histograms) == len(metrics_of(logged.folder))
        for histogram in histograms:
            assert histogram["_type"] == "histogram"
            assert sum(histogram["values"]) == count


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


def test_the_run_itself_is_as_without_wandb(logged: Logged) -> None:
    assert {path.name for path in logged.folder.iterdir()} >= {"metrics.csv", "config.yaml", "summary.json"}
    assert parameters_of(logged.folder)


def test_records_across_blocks() -> None:
    """The reader itself, on a log written by hand: padding, then a record of three chunks."""

    def chunk(kind: int, data: bytes) -> bytes:
        return bytes(4) + len(data).to_bytes(2, "little") + bytes([kind]) + data

    first = b"a" * (32768 - 7 - 7 - 3)
    parts = (b"b" * (32768 - 7), b"c" * (32768 - 7), b"d")
    log = b":W&B" + bytes(3) + chunk(1, first) + bytes(3)
    log += b"".join(chunk(kind, part) for kind, part in zip((2, 3, 4), parts, strict=True))
    assert list(records(log)) == [first, b"".join(parts)]
