"""What goes to a W&B run, noted by a stand-in for one; tests/callbacks/reporting/test_wandb.py has the real thing."""

import pytest
import tiny
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from tiny import SIZES, Recorder, TinyData

import callbacks.reporting.wandb_report
from callbacks import (
    ClientErrors,
    FedAvg,
    FLTrust,
    LabelFlipping,
    Median,
    MetricsLogger,
    RunReport,
    ScalingAttack,
    WandbReport,
)
from callbacks.reporting.distributions import ClientMeans, benign_and_malicious, by_client
from flt.display import curves
from flt.errors import InputError
from flt.functional import cosine_similarity


class Settings(dict):
    def update(self, values, allow_val_change):
        assert allow_val_change
        super().update(values)


class Run:
    """Stands in for a W&B run; ``steps`` are what was logged, a dictionary for each commit."""

    id, name = "an-id", "a-name"

    def __init__(self, resumed=False, summary=()):
        self.resumed, self.summary, self.config = resumed, dict(summary), Settings()
        self.steps, self.definitions, self._open = [], {}, {}

    def define_metric(self, name, step_metric=None, summary=None):
        self.definitions[name] = (step_metric, summary)

    def log(self, values, commit=True):
        self._open |= values
        if commit:
            self.steps.append(self._open)
            self._open = {}

    def rounds(self, name="training_loss"):
        return [step["round"] for step in self.steps if name in step]


def logged(fit, *callbacks, prefix="", **settings):
    """The run that these callbacks leave behind."""
    run = Run()
    settings["trainer_settings"] = {"logger": WandbLogger(experiment=run, prefix=prefix)}
    fit(*callbacks, MetricsLogger(), WandbReport(), **settings)
    return run


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_nothing_happens_without_wandb(fit, tmp_path):
    report = WandbReport()
    fit(FLTrust(), MetricsLogger(), report, trainer_settings={"logger": CSVLogger(tmp_path)})
    assert report.state_dict() == {}
    fit(FLTrust(), WandbReport())  # nor does it need metrics


def test_it_needs_metrics(fit):
    with pytest.raises(InputError, match="WandbReport needs a MetricsLogger"):
        fit(FLTrust(), WandbReport(), trainer_settings={"logger": WandbLogger(experiment=Run())})


def test_distributions_are_in_the_row_of_their_round(fit):
    run = logged(fit, FLTrust(), ScalingAttack(0.3), rounds=3)
    assert run.rounds() == run.rounds("weights/benign") == run.rounds("norm_ratio_to_root/malicious") == [1, 2, 3]
    assert run.steps[-1].keys() == {"round", "clients", "curves", "trainer/global_step"}
    assert run.steps[-1]["round"] == 3


def test_the_table_of_clients(fit):
    recorder = Recorder()
    measuring = ClientErrors()
    run = logged(fit, FLTrust(), LabelFlipping(0.3), recorder, measuring, rounds=4, clients_per_round=6)
    table = run.steps[-1]["clients"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.data]
    classes = ["class 0", "class 1", "class 2"]
    data = TinyData()
    data.prepare_data()
    data.setup()
    for client, row in enumerate(rows):
        assert (row["client"], row["examples"]) == (client, int(data.clients.sizes[client]))
        start, end = data.clients.offsets[client : client + 2].tolist()
        labels = data.clients.labels[start:end]  # before the attack has flipped them
        assert [row[name] for name in classes] == labels.bincount(minlength=3).tolist()
        said = [
            (aggregate.trust_scores[position], aggregate.judgement.weights[position], bool(round.malicious[position]))
            for round, aggregate in recorder.ended
            for position in (round.client_ids == client).nonzero().flatten().tolist()
        ]
        if not said:
            assert row["mean trust score"] is row["mean weight"] is None
            continue
        assert row["mean trust score"] == pytest.approx(sum(float(score) for score, _, _ in said) / len(said))
        assert row["mean weight"] == pytest.approx(sum(float(weight) for _, weight, _ in said) / len(said))
        assert {malicious for _, _, malicious in said} == {row["malicious"]}
    assert [row["error"] for row in rows] == measuring.errors.tolist()
    assert sum(row["malicious"] for row in rows) == 3
    assert len(rows) == len(SIZES)


def test_a_rule_without_judgement(fit):
    run = logged(fit, Median(), rounds=2)
    assert {name for name in run.steps[1] if "/" in name} == {
        *("cosine_to_aggregate/benign", "norm_ratio_to_aggregate/benign", "trainer/global_step")
    }
    table = run.steps[-1]["clients"]
    assert all(row[-2:] == [None, None] for row in table.data)


def test_comparison_with_the_aggregate(fit):
    recorder = Recorder()
    fit(Median(), recorder, rounds=1)
    round, aggregate = recorder.ended[0]
    values = by_client(round, aggregate)
    ratios = round.updates.double().norm(dim=1) / aggregate.update.double().norm()
    torch.testing.assert_close(values["norm_ratio_to_aggregate"], ratios, rtol=1e-5, atol=1e-6)
    cosines = cosine_similarity(round.updates, aggregate.update).double()
    torch.testing.assert_close(values["cosine_to_aggregate"], cosines)
    assert by_client(round.without_updates(), aggregate) == {}
    assert by_client(round.keep(torch.zeros(10, dtype=torch.bool)), aggregate) == {}


def test_what_is_not_finite_is_left_out():
    values = {"a": torch.tensor([1.0, float("nan"), 2.0, float("inf")])}
    split = benign_and_malicious(values, torch.tensor([False, False, False, True]))
    assert {name: vector.tolist() for name, vector in split.items()} == {"a/benign": [1.0, 2.0]}


def test_means_by_client():
    means = ClientMeans(4)
    means.add(torch.tensor([0, 2]), {"a": torch.tensor([1.0, 5.0]).double()})
    other = ClientMeans(4)
    other.load_state_dict(means.state_dict())
    other.add(torch.tensor([2, 3]), {"a": torch.tensor([7.0, 0.0]).double()})
    assert other["a"] == [1.0, None, 6.0, 0.0]
    assert other["b"] == [None] * 4


def test_very_many_clients_are_cut_off(fit, monkeypatch):
    monkeypatch.setattr(callbacks.reporting.wandb_report, "MOST_ROWS", 4)
    table = logged(fit, FedAvg(), rounds=1).steps[-1]["clients"]
    assert [row[0] for row in table.data] == [0, 1, 2, 3]


@pytest.mark.parametrize("reports", [[RunReport()], []], ids=["shared", "alone"])
def test_the_figure_is_drawn_once(fit, monkeypatch, reports):
    drawn = []
    real = curves.drawn_curves
    monkeypatch.setattr(curves, "drawn_curves", lambda *args: drawn.append(args) or real(*args))
    run = logged(fit, FLTrust(), *reports, rounds=2)
    assert len(drawn) == 1
    assert "FLTrust" in drawn[0][1]
    assert run.steps[-1]["curves"].image.size[0] > 900


def test_names_have_the_loggers_prefix(fit):
    run = logged(fit, FLTrust(), prefix="mine", rounds=1)
    assert run.definitions["mine-testing_error_rate"] == ("mine-round", "min,max,last")
    assert run.definitions["mine-weights/*"] == ("mine-round", None)
    assert {"mine-round", "mine-training_loss", "mine-weights/benign"} <= run.steps[1].keys()
    assert {"mine-clients", "mine-curves"} <= run.steps[-1].keys()


class Stopping(ModelCheckpoint):
    """The usual checkpoint, of every evaluation."""

    def __init__(self, folder):
        super().__init__(folder, filename="last", every_n_epochs=1, save_on_train_epoch_end=False)


def resumed(tmp_path, run, *, rounds):
    callbacks = (FLTrust(), ScalingAttack(), MetricsLogger(), WandbReport(), Stopping(tmp_path))
    settings = {"logger": WandbLogger(experiment=run), "enable_checkpointing": True}
    path = tmp_path / "last.ckpt"
    tiny.fit(tmp_path, *callbacks, rounds=rounds, ckpt_path=path if path.exists() else None, trainer_settings=settings)
    return run


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_a_run_that_goes_on_under_its_own_name_has_no_row_twice(fit, tmp_path):
    whole = logged(fit, FLTrust(), ScalingAttack(), rounds=6)
    first = resumed(tmp_path, Run(), rounds=2)
    known = 3  # a round that the first part had done after its checkpoint
    second = resumed(tmp_path, Run(resumed=True, summary={"round": known}), rounds=6)
    assert first.rounds() == [1, 2]
    assert second.rounds() == second.rounds("weights/benign") == [4, 5, 6]
    assert not [step for step in second.steps if "weights/benign" in step and "training_loss" not in step]
    assert second.steps[-1]["clients"].data == whole.steps[-1]["clients"].data


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_a_run_that_goes_on_under_another_name_is_complete(tmp_path):
    resumed(tmp_path, Run(), rounds=2)
    assert resumed(tmp_path, Run(), rounds=4).rounds() == [1, 2, 3, 4]
