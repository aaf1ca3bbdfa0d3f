import csv
import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from tiny import Recorder, Sending, TinyData, mlp

from callbacks import FedAvg, FLTrust, Median, MetricsLogger, NonFinite, ScalingAttack, TrimAttack
from flt.federation import Aggregate, Aggregation, FederatedCallback, Judgement
from flt.module import FederatedModule

ALWAYS = {"round", "training_loss", "update_norm", "num_dropped"}
BASE = ALWAYS | {"weight_benign", "kept_benign"}
MALICIOUS = {"weight_malicious", "kept_malicious"}
TRUST = {"root_update_norm", "trust_score_benign", "trust_score_malicious"}


def rows_of(fit, *callbacks, **settings):
    metrics = MetricsLogger()
    fit(*callbacks, metrics, **settings)
    return metrics.rows


@pytest.mark.parametrize(
    ("rounds", "log_every", "evaluate_every", "expected"),
    [
        (7, 3, 2, [2, 3, 4, 6, 7]),
        (4, 2, 4, [2, 4]),
        (1, 10, 1, [1]),
    ],
)
def test_one_row_for_every_round_that_is_due(fit, rounds, log_every, evaluate_every, expected):
    settings = {"log_every_n_steps": log_every, "val_check_interval": evaluate_every}
    rows = rows_of(fit, FedAvg(), rounds=rounds, trainer_settings=settings)
    assert [row["round"] for row in rows] == expected
    for row in rows:
        number = row["round"]
        assert ("testing_error_rate" in row) == (number % evaluate_every == 0 or number == rounds)
        assert "training_loss" in row


@pytest.mark.parametrize(
    ("callbacks", "keys"),
    [
        ([FedAvg], BASE),
        ([FedAvg, TrimAttack], BASE | MALICIOUS),
        ([Median, TrimAttack], ALWAYS),
        ([FLTrust], BASE | TRUST - {"trust_score_malicious"}),
        ([FLTrust, TrimAttack], BASE | MALICIOUS | TRUST),
    ],
    ids=["FedAvg", "FedAvg attacked", "Median attacked", "FLTrust", "FLTrust attacked"],
)
def test_what_a_row_holds(fit, callbacks, keys):
    rows = rows_of(fit, *(make() for make in callbacks), rounds=2)
    assert set(rows[0]) == keys
    assert set(rows[1]) == keys | {"testing_error_rate"}
    assert all(type(value) in (int, float) for row in rows for value in row.values())


def test_values(fit):
    metrics, recorder = MetricsLogger(), Recorder()
    server = fit(FLTrust(), TrimAttack(fraction=0.3), recorder, metrics, rounds=4)
    sums = {"benign": [], "malicious": []}
    for row, (round, aggregate) in zip(metrics.rows, recorder.ended, strict=True):
        benign = ~round.malicious
        assert row["training_loss"] == pytest.approx(float(round.losses[benign].mean()))
        assert row["update_norm"] == pytest.approx(float(aggregate.update.norm()))
        assert row["root_update_norm"] == pytest.approx(float(round.root_update.norm()))
        assert row["num_dropped"] == 0
        for who, mask in (("benign", benign), ("malicious", ~benign)):
            assert row[f"trust_score_{who}"] == pytest.approx(float(aggregate.trust_scores[mask].mean()))
            weights = aggregate.judgement.weights[mask].float()
            assert row[f"weight_{who}"] == pytest.approx(float(weights.mean()))
            assert row[f"kept_{who}"] == pytest.approx(float((weights != 0).float().mean()))
            sums[who] += aggregate.trust_scores[mask].tolist()
    assert metrics.rows[-1]["testing_error_rate"] == float(server.trainer.callback_metrics["testing_error_rate"])
    for who, scores in sums.items():
        assert metrics.mean(f"trust_score_{who}") == pytest.approx(sum(scores) / len(scores))


def test_a_client_without_examples_has_no_part_in_the_loss(fit):
    metrics, recorder = MetricsLogger(), Recorder()
    fit(FedAvg(), recorder, metrics, rounds=1, data=TinyData(sizes=(24, 18, 0)))
    (round, _), (row,) = recorder.ended[0], metrics.rows
    assert int(round.num_examples[2]) == 0
    assert row["training_loss"] == pytest.approx(float(round.losses[:2].mean()))


def test_the_mean_is_over_the_rows_that_hold_the_metric(fit):
    metrics = MetricsLogger()
    fit(FLTrust(), metrics, rounds=5, trainer_settings={"log_every_n_steps": 2, "val_check_interval": 5})
    assert [row["round"] for row in metrics.rows] == [2, 4, 5]
    scores = [row["trust_score_benign"] for row in metrics.rows]
    assert metrics.mean("trust_score_benign") == pytest.approx(sum(scores) / 3)
    assert metrics.mean("testing_error_rate") == metrics.rows[2]["testing_error_rate"]
    assert metrics.mean("trust_score_malicious") is None


@pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped:UserWarning")
def test_dropped_updates_are_counted_in_every_round(fit):
    metrics = MetricsLogger()
    fit(
        FedAvg(),
        Sending(math.inf, (1, 2, 3)),
        metrics,
        rounds=5,
        trainer_settings={"log_every_n_steps": 2, "val_check_interval": 5},
    )
    assert [(row["round"], row.get("num_dropped")) for row in metrics.rows] == [(2, 3), (4, 3), (5, 3)]
    assert metrics.num_dropped == 15


@pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped:UserWarning")
@pytest.mark.filterwarnings("ignore:a round had no usable aggregate:UserWarning")
@pytest.mark.filterwarnings("ignore:FLTrust. every trust score is 0:UserWarning")
@pytest.mark.parametrize("who", ["benign", "everybody"])
def test_no_row_holds_a_nan(fit, who):
    """Also where no benign update is left to average over."""
    malicious = fit(FLTrust(), TrimAttack(), rounds=1).federation.malicious
    silent = tuple(range(10)) if who == "everybody" else tuple((~malicious).nonzero().flatten().tolist())
    rows = rows_of(fit, FLTrust(), TrimAttack(), Sending(math.nan, silent), rounds=2)
    assert len(rows) == 2
    assert all(math.isfinite(value) for row in rows for value in row.values())


@pytest.mark.parametrize("synthetic", [False, True])
@pytest.mark.filterwarnings("ignore:SYNTHETIC DATA:UserWarning")
def test_the_csv_file(fit, tmp_path, synthetic):
    metrics = MetricsLogger()
    logger = CSVLogger(tmp_path, name="runs", version="one")
    data = TinyData(synthetic=synthetic)
    fit(FLTrust(), ScalingAttack(), metrics, data=data, rounds=5, trainer_settings={"logger": logger})
    with (tmp_path / "runs" / "one" / "metrics.csv").open() as file:
        written = list(csv.DictReader(file))
    assert (len(written), metrics.rows[0]["round"]) == (6, 1)
    for row, expected in zip(written, metrics.curve, strict=True):
        assert row.pop("data") == ("Tiny (stand-in)" if synthetic else "Tiny")
        assert row.pop("step") == str(expected["round"])
        assert {key: float(value) for key, value in row.items() if value} == pytest.approx(expected)


def test_evaluating_alone_makes_no_row(fit):
    metrics = MetricsLogger()
    server = fit(FedAvg(), metrics, rounds=2)
    server.trainer.validate(server, datamodule=server.data, verbose=False)
    assert len(metrics.rows) == 2


def test_without_evaluations(fit):
    metrics = MetricsLogger()
    fit(FedAvg(), metrics, rounds=3, trainer_settings={"limit_val_batches": 0})
    assert [row["round"] for row in metrics.curve] == [1, 2, 3]
    assert all(set(row) == BASE for row in metrics.rows)


def test_round_0_is_the_model_before_the_first_round(fit, monkeypatch):
    """As an evaluation measures it; the run is the same to the last bit, random layers included."""
    runs = []
    for is_measured in (True, False):
        if not is_measured:
            monkeypatch.setattr(FederatedModule, "rates_at_start", lambda server: {})
        metrics, network = MetricsLogger(), torch.nn.Sequential(mlp(), torch.nn.Dropout(0.5))
        server = fit(FedAvg(), ScalingAttack(), metrics, network=network, rounds=2)
        runs.append((metrics, server.network.state_dict(), network[1].training))
    (metrics, weights, mode), (without, others, other_mode) = runs
    assert metrics.rows == without.rows == without.curve
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert mode == other_mode


@pytest.mark.parametrize("limit", [1, 2, 1.0], ids=["one batch", "two batches", "all"])
def test_round_0_is_measured_on_as_many_batches_as_all_others(fit, limit):
    settings = {"limit_val_batches": limit}
    fit(FedAvg(), ScalingAttack(), unmoved := MetricsLogger(), rounds=1, server_lr=1e-30, trainer_settings=settings)
    start, after = unmoved.curve
    assert start == {"round": 0, **{name: after[name] for name in ("testing_error_rate", "attack_success_rate")}}


@pytest.mark.filterwarnings("ignore:.* were dropped:UserWarning")
def test_state_is_plain_and_complete(fit, tmp_path):
    metrics, other = MetricsLogger(), MetricsLogger()
    fit(FLTrust(), NonFinite(fraction=0.2), metrics, rounds=3)
    torch.save(metrics.state_dict(), tmp_path / "state")
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert (other.rows, other.start) == (metrics.rows, metrics.start)
    assert other.start["round"] == 0
    assert other.num_dropped == metrics.num_dropped == 6


def test_the_file_grows_with_the_run(fit, tmp_path):
    """`CSVLogger` alone would write it at the end, as its own interval never falls on our rounds."""
    lengths = []

    class Watching(FederatedCallback):
        def on_train_batch_end(self, trainer, *_):
            path = Path(trainer.log_dir) / "metrics.csv"
            lengths.append(len(path.read_text().splitlines()) if path.exists() else 0)

    settings = {"log_every_n_steps": 1, "val_check_interval": 10, "logger": CSVLogger(tmp_path)}
    fit(FedAvg(), MetricsLogger(), Watching(), rounds=4, trainer_settings=settings)
    assert lengths == [2, 3, 4, 5]  # the header and round 0 before all


def test_a_rule_says_whom_it_kept(fit):
    """Also one whose aggregate is no weighted mean."""

    class Dropping(Aggregation):
        def aggregate(self, round):
            kept = torch.arange(len(round)) > 2
            return Aggregate(round.updates[kept].mean(dim=0), judgement=Judgement(kept=kept))

    metrics, recorder = MetricsLogger(), Recorder()
    fit(Dropping(), TrimAttack(fraction=0.3), recorder, metrics, rounds=1)
    malicious = recorder.ended[0][0].malicious
    assert metrics.rows[0]["kept_malicious"] == pytest.approx(float(malicious[3:].sum() / malicious.sum()))
    assert metrics.rows[0]["kept_benign"] == pytest.approx(float((~malicious)[3:].sum() / (~malicious).sum()))
