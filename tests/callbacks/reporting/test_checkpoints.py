"""When checkpoints are written, by a clock of our own, and what is left of a run that stops."""

import signal

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from tiny import TinyData, mlp, module, trainer

from callbacks import FedAvg, MetricsLogger, PacedCheckpoint
from flt.federation import FederatedCallback


class Stopping(FederatedCallback):
    """Has something happen in a hook of a round, by its number."""

    def __init__(self, number, hook, how):
        self.number, self.how = number, how
        setattr(self, hook, self.happen)

    def happen(self, *values):
        round = values[0]
        if (round.global_step if hasattr(round, "global_step") else round.number) == self.number:
            self.how()


def fit(tmp_path, *callbacks, rounds=8):
    run = trainer(
        tmp_path, FedAvg(), MetricsLogger(), *callbacks, rounds=rounds, val_check_interval=2, enable_checkpointing=True
    )
    run.fit(module(mlp()), datamodule=TinyData())
    return run


def saved(tmp_path):
    (path,) = tmp_path.rglob("*.ckpt")
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize(("seconds", "expected"), [(100.0, [2, 4, 6, 8, 10]), (20.0, [2, 8, 10]), (1.0, [2, 10])])
def test_they_take_two_percent_of_the_time(tmp_path, monkeypatch, seconds, expected):
    """Of evaluations that take so many seconds, where writing one takes one."""
    now, rounds = [0.0], []

    def save(self, trainer, path):
        now[0] += 1.0
        rounds.append(trainer.global_step)

    class Slow(FederatedCallback):
        def on_validation_start(self, trainer, pl_module):
            now[0] += seconds

    monkeypatch.setattr("callbacks.reporting.checkpoints.monotonic", lambda: now[0])
    monkeypatch.setattr(ModelCheckpoint, "_save_checkpoint", save)
    fit(tmp_path, Slow(), PacedCheckpoint(), rounds=10)
    assert rounds == expected


def fail():
    raise RuntimeError("stop")


def interrupt():
    signal.raise_signal(signal.SIGINT)


def interrupt_twice():
    interrupt()
    interrupt()


@pytest.mark.parametrize(
    ("hook", "how", "rounds"),
    [
        ("on_train_batch_start", fail, 5),
        ("on_updates_received", fail, 2),  # half a round; the evaluations since were too soon
        ("on_validation_start", fail, 2),
        ("on_updates_received", interrupt, 6),  # the round ends
        ("on_updates_received", interrupt_twice, 2),
    ],
)
def test_a_run_that_stops(tmp_path, hook, how, rounds):
    number = 6 if hook == "on_validation_start" else 5
    with pytest.raises((RuntimeError, SystemExit)):
        fit(tmp_path, Stopping(number, hook, how), PacedCheckpoint())
    assert saved(tmp_path)["global_step"] == rounds
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning no longer listens to it


def test_signals_are_heard_as_before_when_a_run_has_ended(tmp_path):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    fit(tmp_path, PacedCheckpoint(), Stopping(7, "on_updates_received", lambda: signal.raise_signal(signal.SIGTERM)))
    assert heard == [signal.SIGTERM]  # of the last round as well
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGTERM, before)
    assert saved(tmp_path)["callbacks"].keys() >= {ModelCheckpoint(every_n_epochs=1).state_key}
