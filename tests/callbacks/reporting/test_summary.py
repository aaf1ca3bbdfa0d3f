import json
import re
from pathlib import Path
from typing import NamedTuple

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from tiny import Sending, TinyData, mlp, trainer

import flt as package
from callbacks import (
    EvaluationMetrics,
    FedAvg,
    FLTrust,
    Krum,
    MetricsLogger,
    NoAttack,
    RunReport,
    ScalingAttack,
    TrimAttack,
)
from callbacks.reporting.metrics import KEPT, WEIGHTS
from flt.errors import InputError
from flt.federation import FederatedCallback
from flt.module import FederatedModule
from flt.runs.summary import read_summary


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """So that no line of a table is broken."""
    monkeypatch.setenv("COLUMNS", "200")


class Run(NamedTuple):
    server: FederatedModule
    folder: Path
    summary: dict[str, object]


@pytest.fixture
def run(fit, tmp_path):
    """Runs with a report and a logger, whose folder the report's files lie in."""

    def start(*callbacks, metrics=None, curves=False, trainer_settings=None, **settings):
        settings["trainer_settings"] = {"logger": CSVLogger(tmp_path, name="runs")} | (trainer_settings or {})
        server = fit(*callbacks, metrics or MetricsLogger(), RunReport(curves=curves), **settings)
        folder = Path(server.trainer.log_dir)
        return Run(server, folder, json.loads((folder / "summary.json").read_text()))

    return start


def test_the_summary(run, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "12")
    metrics = MetricsLogger()
    server, _, summary = run(FLTrust(variant="NoReLU"), ScalingAttack(0.3), metrics=metrics, rounds=5)
    seconds = summary.pop("seconds")
    assert 0 < seconds < 60
    rates = server.trainer.callback_metrics
    assert summary == {
        "data": "Tiny",
        "stand_in": False,
        "aggregation": "FLTrust-NoReLU",
        "attack": "ScalingAttack",
        "testing_error_rate": float(rates["testing_error_rate"]),
        "attack_success_rate": float(rates["attack_success_rate"]),
        "trust_score_benign": metrics.mean("trust_score_benign"),
        "trust_score_malicious": metrics.mean("trust_score_malicious"),
        "num_clients": 10,
        "num_malicious": 3,
        "num_dropped": 0,
        "rounds": 5,
        "seed": 12,
        "best": {"round": 5, **{name: float(rates[name]) for name in ("testing_error_rate", "attack_success_rate")}},
        "best_on_validation": None,
        "versions": {"torch": torch.__version__, "lightning": lightning.__version__, "flt": package.__version__},
        "machine": {
            "device": "cpu",
            "cpu": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        },
        "metrics": {
            **{name: metrics.last(name) for name in ("update_norm", "root_update_norm", "training_loss")},
            **{name: metrics.mean(name) for name in (*WEIGHTS, *KEPT)},
        },
    }


class Scripted(FederatedModule):
    """Evaluations of chosen errors."""

    def validation_step(self, batch, batch_idx):
        self.testing_error_rate.update(torch.tensor({2: 0.5, 4: 0.125, 6: 0.25}[self.trainer.global_step]))
        self.log("testing_error_rate", self.testing_error_rate, on_epoch=True, on_step=False)


def test_the_best_evaluation_is_told_beside_the_last(tmp_path, capsys):
    logger = CSVLogger(tmp_path, name="runs")
    own = trainer(
        tmp_path,
        FedAvg(),
        NoAttack(),
        MetricsLogger(),
        RunReport(curves=False),
        rounds=6,
        logger=logger,
        val_check_interval=2,
    )
    own.fit(Scripted(mlp()), datamodule=TinyData())
    summary = read_summary(Path(logger.log_dir))
    assert (summary["testing_error_rate"], summary["best"]) == (0.25, {"round": 4, "testing_error_rate": 0.125})
    assert "... lowest (optimistic) │ 0.1250, after round 4" in capsys.readouterr().out


def test_what_was_not_measured_is_null(run):
    summary = run(FedAvg(), rounds=1).summary
    unknown = ("attack_success_rate", "trust_score_benign", "trust_score_malicious")
    assert all(summary[name] is None for name in unknown)
    assert (summary["attack"], summary["num_malicious"]) == ("NoAttack", 0)


@pytest.mark.filterwarnings("ignore:SYNTHETIC DATA:UserWarning")
def test_stand_ins_are_marked_everywhere(run, capsys):
    summary = run(FedAvg(), data=TinyData(synthetic=True), rounds=1).summary
    assert summary["stand_in"] is True
    assert summary["data"] == "Tiny (stand-in)"
    before, after = capsys.readouterr().out.split("Summary")
    assert "Tiny (stand-in)" in before
    assert "Tiny (stand-in)" in after


@pytest.mark.parametrize("rounds", [1, 30])
def test_curves(run, rounds):
    with Image.open(run(FLTrust(), ScalingAttack(), rounds=rounds, curves=True).folder / "curves.png") as image:
        assert image.format == "PNG"
        assert 900 < image.width < 1500
        assert 900 < image.height < 1400


@pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning")  # which is what this is about
def test_no_rows_no_curves(run):
    settings = {"log_every_n_steps": 100, "limit_val_batches": 0}
    _, folder, summary = run(FedAvg(), rounds=2, curves=True, trainer_settings=settings)
    assert summary["testing_error_rate"] is None
    assert not (folder / "curves.png").exists()


def test_what_is_printed(run, capsys):
    folder = run(FLTrust(), ScalingAttack(), rounds=3, clients_per_round=6, local_steps=2).folder
    before, after = (" ".join(text.replace("│", " ").split()) for text in capsys.readouterr().out.split("Summary"))
    for words in (
        "Tiny: 6 of 10 clients a round",
        "50 test examples, 3 classes",
        "root dataset 15 examples, uniform",
        "aggregation FLTrust",
        "attack ScalingAttack: 2 of 10 clients malicious",
        "client_lr 0.02 x server_lr 1 = 0.02 on the sum over a batch of 8 (0.16 on its mean), 2 local steps",
        "rounds 3",
    ):
        assert words in before
    for words in (
        "data Tiny",
        "aggregation FLTrust",
        "attack ScalingAttack (2 of 10 clients)",
        "testing error rate 0.",
        "attack success rate",
        "trust score, benign 0.",
        "trust score, malicious 0.",
        "s for 3 rounds",
        f"Files in {folder}",
    ):
        assert words in after
    assert "dropped" not in after


@pytest.mark.parametrize(
    ("callbacks", "settings", "told"),
    [
        # Not the copies that malicious clients make of them.
        ([FedAvg(), ScalingAttack(0.9)], {}, ["10 clients, 165 training examples, 50 test examples, 3 classes"]),
        ([FLTrust()], {"data": TinyData(bias_probability=0.6)}, ["15 examples, biased: 0.6 of class 1"]),
        ([Krum(), NoAttack()], {"num_byzantine": 2}, ["Krum, num_byzantine 2", "NoAttack: 0 of 10 clients malicious"]),
    ],
    ids=["data", "root dataset", "rule"],
)
def test_what_is_said_of(run, capsys, callbacks, settings, told):
    run(*callbacks, rounds=1, **settings)
    out = capsys.readouterr().out
    assert all(words in out for words in told)


@pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped:UserWarning")
def test_dropped_updates_are_said(run, capsys):
    assert run(FedAvg(), Sending(float("nan"), (1, 2)), rounds=3).summary["num_dropped"] == 6
    assert "6 (a NaN or an infinity)" in capsys.readouterr().out


def test_without_a_logger_there_is_no_file(fit, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fit(FedAvg(), MetricsLogger(), RunReport(), rounds=1)
    assert list(tmp_path.iterdir()) == []
    assert "testing error rate" in capsys.readouterr().out


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_evaluations_are_printed(run, capsys, stage):
    server = run(FedAvg(), ScalingAttack(), EvaluationMetrics()).server
    rates = {name: float(rate) for name, rate in server.trainer.callback_metrics.items()}
    capsys.readouterr()
    getattr(server.trainer, stage)(server, datamodule=server.data, verbose=False)
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "data Tiny" in out
    assert f"testing error rate {rates['testing_error_rate']:.4f}" in out
    assert f"attack success rate {rates['attack_success_rate']:.4f}" in out
    assert f"testing loss {rates['testing_loss']:.4f}" in out
    assert re.search(r"error by class 0\.\d{4} \(\d\) to 0\.\d{4} \(\d\)", out)


class Undefined(FederatedCallback):
    """Logs a rate over no examples."""

    def on_round_end(self, trainer, round, aggregate):
        self.log("undefined", float("nan"))


@pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped:UserWarning")
@pytest.mark.filterwarnings("ignore:a round had no usable aggregate:UserWarning")
@pytest.mark.parametrize("case", ["no benign client in a round", "no usable update", "a metric"])
def test_the_summary_is_valid_json(run, case):
    """JSON knows no NaN."""
    if case == "no usable update":
        made = run(FLTrust(), Sending(float("nan"), tuple(range(10))), rounds=2)
    elif case == "a metric":
        made = run(FedAvg(), Undefined(), rounds=2)
        assert made.summary["metrics"]["undefined"] is None
        assert made.summary == read_summary(made.folder)
    else:
        made = run(FLTrust(), TrimAttack(0.9), rounds=6, clients_per_round=1)
    assert "NaN" not in (made.folder / "summary.json").read_text()


def test_a_report_needs_metrics(fit):
    with pytest.raises(InputError, match="RunReport needs a MetricsLogger"):
        fit(FedAvg(), RunReport(), rounds=1)
