"""A user's own metrics: whatever logs them, they are in the row of their round."""

import csv

import pytest
import tiny
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import CSVLogger
from tiny import TinyData, mlp, trainer

from callbacks import FedAvg, MetricsLogger, TrimAttack
from flt.errors import InputError
from flt.federation import FederatedCallback
from flt.module import FederatedModule


class Own(FederatedCallback):
    """Logs 100 times the number of the round that is going on, in one hook."""

    def __init__(self, hook, name="mine", **settings):
        def log(trainer, *_):
            done = trainer.global_step + (hook == "on_train_batch_start")
            self.log(name, 100.0 * done, **settings)

        setattr(self, hook, log)


class OwnAttack(TrimAttack):
    def craft(self, round):
        self.log("mine", 100.0 * (round.number + 1))
        return super().craft(round)


class OwnModule(FederatedModule):
    def training_step(self, batch, batch_idx):
        super().training_step(batch, batch_idx)
        self.log_dict({"mine": 100.0 * self.trainer.global_step})


class OwnEvaluation(FederatedModule):
    def validation_step(self, batch, batch_idx):
        scores = super().validation_step(batch, batch_idx)
        self.log("mine", 100.0 * self.trainer.global_step)
        return scores


EVERY, EVALUATED = [2, 3, 4, 6, 7], [2, 4, 6, 7]
CASES = {
    "round end": (Own("on_round_end"), EVERY),
    "batch start": (Own("on_train_batch_start"), EVERY),
    "batch end": (Own("on_train_batch_end"), EVERY),
    "attack": (OwnAttack(), EVERY),
    "module": (OwnModule, EVERY),
    "evaluation": (Own("on_validation_epoch_end"), EVALUATED),
    "evaluation's batch": (Own("on_validation_batch_end"), EVALUATED),
    "module's evaluation": (OwnEvaluation, EVALUATED),
    "whole run": (Own("on_train_batch_end", on_step=False, on_epoch=True, reduce_fx="max"), [7]),
    "end of run": (Own("on_train_epoch_end"), [7]),
    "kept to itself": (Own("on_round_end", logger=False), []),
}


@pytest.mark.parametrize("number", range(len(CASES)), ids=CASES)
def test_it_is_in_the_row_of_its_round(tmp_path, number):
    """Rounds 2, 4, 6 and the last are evaluated; 3 and 6 are logged. Ahead of the metrics and behind them, by turns."""
    (own, rounds), order = list(CASES.values())[number], (1, -1)[number % 2]
    metrics, is_callback = MetricsLogger(), isinstance(own, Callback)
    server = FederatedModule(mlp()) if is_callback else own(mlp())
    callbacks = [FedAvg(), *([own] if is_callback else []), metrics][::order]
    logger = CSVLogger(tmp_path, name="", version="run")
    settings = {"log_every_n_steps": 3, "val_check_interval": 2, "logger": logger}
    trainer(tmp_path, *callbacks, rounds=7, **settings).fit(server, TinyData())
    assert [row["round"] for row in metrics.rows] == EVERY
    assert {row["round"]: row["mine"] for row in metrics.rows if "mine" in row} == {done: 100 * done for done in rounds}
    with (tmp_path / "run" / "metrics.csv").open() as file:
        written = [
            {name: float(row[name]) for name in ("round", "mine") if row.get(name)} for row in csv.DictReader(file)
        ]
    assert written.pop(0) == {"round": 0}
    assert written == [{name: row[name] for name in ("round", "mine") if name in row} for row in metrics.rows]


def test_lightnings_callbacks_see_it(fit):
    metrics = MetricsLogger()
    stopping = EarlyStopping("mine", mode="min", patience=1, check_on_train_epoch_end=False)
    fit(FedAvg(), Own("on_validation_epoch_end"), stopping, metrics, rounds=10)
    assert [row["round"] for row in metrics.rows] == [1, 2, 3, 4]


def test_without_a_metrics_logger_lightning_logs_it(fit, tmp_path):
    logger = CSVLogger(tmp_path, name="", version="run")
    fit(FedAvg(), MetricsLogger(), rounds=1)  # a run before it does not matter
    fit(FedAvg(), Own("on_validation_epoch_end"), rounds=2, trainer_settings={"logger": logger})
    with (tmp_path / "run" / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["mine"]) == 200


@pytest.mark.parametrize("name", ["round", "data", "step", "update_norm", "training_loss"])
def test_a_name_that_is_taken(tmp_path, name):
    with pytest.raises(
        InputError, match=rf"self.log\('{name}', ...\): rows have a column of that name; choose another"
    ):
        tiny.fit(tmp_path, FedAvg(), Own("on_round_end", name), MetricsLogger())
