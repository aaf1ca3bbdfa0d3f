"""A run that stops and is resumed ends bit for bit where an undisturbed one does."""

import json
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from catalogue import partner
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from networks import NETWORKS
from tiny import NUM_CLASSES, NUM_FEATURES, TinyData, parameters_of
from torch import nn
from torch.optim import SGD, Adam

from callbacks import (
    IPM,
    AdaptiveAttack,
    Bucketing,
    CenteredClipping,
    FedAvg,
    FLTrust,
    Median,
    MetricsLogger,
    RoundProgressBar,
    RunReport,
    TrimAttack,
)
from flt.errors import InputError
from flt.federation import FederatedCallback

pytestmark = [
    # Resumed on purpose into a folder of its own, so that both runs can be compared.
    pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning"),
    # Resumed on purpose into the same folder.
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
    # Lightning's own when a callback that was saved is left out, as some tests do.
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`:UserWarning"),
]


class PowerFailure(Exception):
    pass


class Failing(FederatedCallback):
    """Ends the run around its fourth round, after which it is evaluated and saved: at one of `MOMENTS`."""

    def __init__(self, moment="after the checkpoint"):
        self.moment = moment
        self.done = 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.done = trainer.global_step
        self.fail("after the checkpoint", self.done == 4)

    def on_client_updates(self, round):
        self.fail("before the step", self.done == 3)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.fail("before the evaluation", trainer.global_step == 4)

    def on_validation_end(self, trainer, pl_module):
        self.fail("before the checkpoint", trainer.global_step == 4)

    def fail(self, moment, is_now):
        if is_now and moment == self.moment:
            raise PowerFailure


def no_rename(path):
    """In place of `os.replace`, of a checkpoint of the fourth round."""

    def replace(source, target):
        if str(target) == str(path) and path.is_file():
            raise PowerFailure
        os.rename(source, target)

    return replace


MOMENTS = [
    "before the step",
    "before the evaluation",
    "before the checkpoint",
    "before the checkpoint's renaming",
    "before anything is tidied up",  # the same, but the process is gone at once
    "after the checkpoint",
]


@pytest.fixture
def run(fit, tmp_path):
    """Runs six rounds, evaluated and saved after every second; returns parameters, rows, metrics.csv and summary."""

    def start(name, *callbacks, trainer_settings=None, network=None, **settings):
        metrics = MetricsLogger()
        checkpoint = ModelCheckpoint(
            dirpath=tmp_path / name,
            filename="last",
            every_n_epochs=1,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )
        server = fit(
            *callbacks,
            metrics,
            RunReport(curves=False),
            checkpoint,
            network=network() if network in (batch_norm, dropout) else network,
            **{"rounds": 6} | settings,
            trainer_settings={
                "val_check_interval": 2,
                "enable_checkpointing": True,
                "logger": CSVLogger(tmp_path, name="csv", version=name),
            }
            | (trainer_settings or {}),
        )
        folder = Path(server.trainer.log_dir)
        summary = json.loads((folder / "summary.json").read_text())
        del summary["seconds"]
        return parameters_of(server), metrics.rows, (folder / "metrics.csv").read_text(), summary

    return start


@pytest.fixture
def broken(run, tmp_path, monkeypatch):
    """Runs until the power fails; returns the checkpoint."""

    def start(*callbacks, moment="after the checkpoint", **settings):
        path = tmp_path / "broken" / "last.ckpt"
        with monkeypatch.context() as patched:
            if "renaming" in moment or "tidied" in moment:
                patched.setattr("flt.files.os.replace", no_rename(path))
            if "tidied" in moment:
                patched.setattr("flt.files.os.unlink", lambda name: None)
            with pytest.raises(PowerFailure):
                run("broken", *callbacks, Failing(moment), **settings)
        assert torch.load(path, weights_only=True)["global_step"] == (4 if moment == "after the checkpoint" else 2)
        strays = list(path.parent.glob(".*.part"))
        assert bool(strays) == ("tidied" in moment)
        return path

    return start


def batch_norm():
    """A network of two layers with batch normalisation between them, the same in each call."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(NUM_FEATURES, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, NUM_CLASSES))


def dropout():
    return nn.Sequential(nn.Linear(NUM_FEATURES, 5), nn.Dropout(0.3), nn.Linear(5, NUM_CLASSES))


EVERYTHING = {
    "server_optimizer": partial(torch.optim.Adam, lr=0.05),
    "clients_per_round": 7,
    "local_steps": 2,
    "lr_milestones": [2, 3],
    "clients_per_chunk": 2,
    "client_momentum": 0.9,
}
SETTINGS = [
    {
        **EVERYTHING,
        "root_batch_size": 4,
        "network": dropout,
        "data": TinyData(num_added_clients=2, validation_fraction=0.3, seed=4),
    },
    {
        "server_optimizer": partial(torch.optim.SGD, lr=0.5, momentum=0.9),
        "local_epochs": 2,
        "proximal": 0.1,
        "clip_gradient": 1.0,
        "client_lr": 0.002,
        "lr_schedule": partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.05, total_steps=6),
    },
    {"client_optimizer": partial(torch.optim.Adam, lr=0.02), "client_optimizer_state": "kept", "client_lr": 0.003},
    {"network": batch_norm, "initialization": "network", "trainer_settings": {"precision": "bf16-mixed"}},
]


@pytest.mark.parametrize("number", range(len(MOMENTS)), ids=MOMENTS)
def test_every_moment(run, broken, number):
    """With each of `SETTINGS`, in turn."""

    def make():
        return FLTrust(), AdaptiveAttack(sweeps=1, steps=2)

    settings = SETTINGS[number % len(SETTINGS)]
    whole = run("whole", *make(), **settings)
    resumed = run("broken", *make(), ckpt_path=broken(*make(), moment=MOMENTS[number], **settings), **settings)
    assert torch.equal(resumed[0], whole[0])
    assert [row["round"] for row in whole[1]] == [1, 2, 3, 4, 5, 6]
    assert resumed[1:] == whole[1:]


class Saving(Callback):
    """Saves a checkpoint after one of the rounds, as a user's own callback may."""

    def __init__(self, path, number):
        self.path, self.number = path, number

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.number:
            trainer.save_checkpoint(self.path)


@pytest.mark.filterwarnings("ignore")  # about what comes out
def test_every_rule_and_attack(fit, tmp_path, pair):
    """About half of them with all settings that a run of any rule may have."""
    (rule, attack), path = pair, tmp_path / "second.ckpt"
    settings = partner(rule.name, [EVERYTHING, {"clients_per_round": 7}]) | {"num_byzantine": 2}  # whoever attacks
    whole = fit(rule.make(), attack.make(), Saving(path, 2), rounds=4, **settings)
    resumed = fit(rule.make(), attack.make(), rounds=4, ckpt_path=path, **settings)
    assert torch.equal(parameters_of(resumed), parameters_of(whole))


def test_the_start_of_a_network_is_in_the_checkpoint(run, broken):
    """A network that starts from weights of its own, which another process would draw differently."""
    torch.manual_seed(0)
    settings = {"initialization": "network", "network": nn.Linear(NUM_FEATURES, NUM_CLASSES)}
    start = {name: value.clone() for name, value in settings["network"].state_dict().items()}
    whole = run("whole", FLTrust(), **settings)
    settings["network"].load_state_dict(start)
    path = broken(FLTrust(), **settings)
    other = {**settings, "network": nn.Linear(NUM_FEATURES, NUM_CLASSES)}
    assert torch.equal(run("resumed", FLTrust(), ckpt_path=path, **other)[0], whole[0])


@pytest.mark.parametrize("name", ["LSTM that keeps its state", "warming up"])
def test_a_network_that_is_trained_one_client_after_the_other(run, broken, name):
    def make():
        torch.manual_seed(0)
        return NETWORKS[name][0]()

    settings = {"local_steps": 2, "clients_per_chunk": 4}
    whole = run("whole", FLTrust(), TrimAttack(), network=make(), **settings)
    path = broken(FLTrust(), TrimAttack(), network=make(), **settings)
    assert list(torch.load(path, weights_only=True)["flt_clients_per_chunk"].values()) == [1]
    resumed = run("resumed", FLTrust(), TrimAttack(), ckpt_path=path, network=make(), **settings)
    assert torch.equal(resumed[0], whole[0])


def test_a_finished_run_goes_on(run, tmp_path):
    """Four rounds, then two more; the fresh run's evaluations fall on the same rounds."""
    whole = run("whole", FLTrust(), TrimAttack())
    run("first", FLTrust(), TrimAttack(), rounds=4)
    resumed = run("resumed", FLTrust(), TrimAttack(), ckpt_path=tmp_path / "first" / "last.ckpt")
    assert torch.equal(resumed[0], whole[0])
    assert resumed[1:] == whole[1:]


def test_a_run_that_fails_twice(run, broken, tmp_path):
    class Later(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if trainer.global_step == 5:
                raise PowerFailure

    settings = {"trainer_settings": {"val_check_interval": 1}}
    whole = run("whole", FLTrust(), AdaptiveAttack(sweeps=1), **settings)
    first = broken(FLTrust(), AdaptiveAttack(sweeps=1), **settings)
    with pytest.raises(PowerFailure):
        run("again", FLTrust(), AdaptiveAttack(sweeps=1), Later(), ckpt_path=first, **settings)
    second = tmp_path / "again" / "last.ckpt"
    assert torch.load(second, weights_only=True)["global_step"] == 5
    resumed = run("resumed", FLTrust(), AdaptiveAttack(sweeps=1), ckpt_path=second, **settings)
    assert torch.equal(resumed[0], whole[0])
    assert resumed[1:] == whole[1:]


def test_seconds_add_up(run, broken, tmp_path):
    path = broken(FLTrust())
    spent = next(value for key, value in torch.load(path, weights_only=True)["callbacks"].items() if "Report" in key)
    checkpoint = torch.load(path, weights_only=True)
    assert 0 < spent["seconds"] < 60
    for key in checkpoint["callbacks"]:
        if "Report" in key:
            checkpoint["callbacks"][key]["seconds"] = 1000.0
    torch.save(checkpoint, path)
    run("resumed", FLTrust(), ckpt_path=path)
    assert 1000 < json.loads((tmp_path / "csv" / "resumed" / "summary.json").read_text())["seconds"] < 1060


def test_other_callbacks_may_join_or_leave(run, broken):
    path = broken(FLTrust(), TrimAttack())
    quiet = {"enable_progress_bar": True}
    whole = run("whole", FLTrust(), TrimAttack())
    resumed = run("resumed", FLTrust(), TrimAttack(), RoundProgressBar(), ckpt_path=path, trainer_settings=quiet)
    assert torch.equal(resumed[0], whole[0])


class Counting(FederatedCallback):
    """Keeps numbers of NumPy in lists, and takes them up in place."""

    def __init__(self):
        self.radius, self.rounds = np.float64(0.5), []

    def on_updates_received(self, round):
        self.rounds.append(np.int64(round.number))

    def state_dict(self):
        return {"rounds": self.rounds, "radius": self.radius}

    def load_state_dict(self, state_dict):
        self.rounds.extend(state_dict["rounds"])


def test_a_state_is_taken_up_once(run, broken):
    """And can be read: NumPy's numbers are plain ones in a checkpoint, also those of a rule, a memory or a setting."""

    class Rule(Median):
        def __init__(self):
            self.radius = np.sqrt(2)

        def aggregate(self, round):
            return replace(super().aggregate(round), memory={"mean": np.mean([1, 2])})

    client_lr = np.logspace(-2, -1, 3)[0]
    path = broken(Rule(), Counting(), client_lr=client_lr)
    counting = Counting()
    run("resumed", Rule(), counting, ckpt_path=path, client_lr=client_lr)
    assert counting.rounds == list(range(6))


def test_a_state_that_could_not_be_read_is_refused(run):
    class Wrong(FederatedCallback):
        def state_dict(self):
            return {"updates": [np.zeros(3)]}

    with pytest.raises(InputError, match=r"Wrong\.state_dict holds a numpy\.ndarray, with which no checkpoint can be"):
        run("whole", FedAvg(), Wrong())


class Other(TinyData):
    dataset_name = "Other"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"network": nn.Sequential(nn.Linear(NUM_FEATURES, 7), nn.Tanh(), nn.Linear(7, NUM_CLASSES))},
            r"the checkpoint is of another model: it has \[5\] where this one has \[7\] for network\.0\.bias",
        ),
        ({"data": Other()}, r"data: Tiny \(checkpoint\), Other \(given\)\): give the data it was trained on"),
    ],
    ids=["model", "data"],
)
def test_a_checkpoint_of_something_else(fit, broken, settings, message):
    path = broken(FLTrust())
    with pytest.raises(InputError, match=message):
        fit(FLTrust(), ckpt_path=path, rounds=6, **settings)


def adam(beta):
    return partial(Adam, betas=(beta, 0.999))


MILESTONES = {"lr_milestones": [1]}
WITH_ADDED = {"num_added_clients": 2}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"server_lr": 0.5}, "server_lr: 1.0 (checkpoint), 0.5 (given)"),
        ({"local_steps": 2}, {"local_steps": 2, "proximal": 0.1}, "proximal: 0.0 (checkpoint), 0.1 (given)"),
        ({}, {"rule": FedAvg}, "aggregation: FLTrust (checkpoint), FedAvg (given)"),
        ({}, {"client_lr": 0.1, "local_steps": 2}, "client_lr: 0.02 (checkpoint), 0.1 (given); local_steps: 1"),
        (MILESTONES, {**MILESTONES, "lr_gamma": 0.5}, "lr_gamma: 0.9 (checkpoint), 0.5 (given)"),
        (
            {"data": WITH_ADDED},
            {"data": {**WITH_ADDED, "added_data": "copies"}},
            "added_data: none (checkpoint), copies (given)",
        ),
        (
            {"data": {"only_clients": [0, 1, 2]}},
            {"data": {"only_clients": [3, 4, 5]}},
            "only_clients: [0, 1, 2] (checkpoint), [3, 4, 5] (given)",
        ),
        (
            {"rule": partial(Bucketing, CenteredClipping(num_steps=1))},
            {"rule": partial(Bucketing, CenteredClipping(num_steps=3))},
            "aggregation.rule.num_steps: 1 (checkpoint), 3 (given)",
        ),
        ({"attack": IPM(epsilon=0.1)}, {"attack": IPM(epsilon=5.0)}, "attack.epsilon: 0.1 (checkpoint), 5.0 (given)"),
        ({"server_optimizer": adam(0.9)}, {"server_optimizer": adam(0.8)}, "server_optimizer.betas: [0.9, 0.999] (che"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_other_settings_are_named(fit, tmp_path, before, after, told):
    def start(rule=FLTrust, attack=None, data=None, **settings):
        data = TinyData(**data or {})
        fit(rule(), attack or TrimAttack(), Saving(tmp_path / "last.ckpt", 1), data=data, rounds=2, **settings)

    start(**before)
    expected = f"training goes on with other settings than the checkpoint's: {told}"
    with pytest.warns(UserWarning, match=re.escape(expected)):
        start(**after, ckpt_path=tmp_path / "last.ckpt")


@pytest.mark.filterwarnings("ignore:training goes on with other settings:UserWarning")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"server_lr": 0.5}),
        ({"server_optimizer": partial(SGD, lr=1.0)}, {"server_optimizer": partial(SGD, lr=0.5)}),
    ],
)
def test_the_given_server_lr_is_used(fit, tmp_path, before, after):
    """From the same start, with the same updates, the resumed run takes half a step."""
    path = tmp_path / "first.ckpt"
    ends = [fit(FedAvg(), Saving(path, 1), rounds=1, **before), fit(FedAvg(), rounds=2, **before)]
    half = fit(FedAvg(), rounds=2, ckpt_path=path, **after)
    torch.testing.assert_close(parameters_of(half), sum(map(parameters_of, ends)) / 2)
