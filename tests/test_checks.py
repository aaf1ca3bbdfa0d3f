import re

import pytest
import torch
from tiny import NUM_CLASSES, NUM_FEATURES, TinyData, mlp
from torch import nn

from flt.checks import check_milestones, check_network, check_precision
from flt.errors import InputError
from flt.resume import check_settings_kept, check_state


class Averaging(nn.Module):
    """One score vector for the whole batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def forward(self, features):
        return self.layer(features).mean(dim=0)


@pytest.fixture
def data():
    made = TinyData()
    made.setup()
    return made


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_precisions_that_work(precision):
    check_precision(precision)


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-true", "16-true", "64-true", "transformer-engine"])
def test_precisions_that_do_not(precision):
    with pytest.raises(InputError, match=rf"trainer\.precision={precision} is not supported .*: use 32-true or bf16-"):
        check_precision(precision)


def test_a_network_that_fits(data):
    network = mlp()
    check_network(network, data)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(mlp(), nn.Dropout()), "Sequential has a Dropout, whose draws could not be repeated"),
        (nn.Flatten(), "Flatten has no parameters to train"),
        (nn.Linear(13, 3), r"Linear cannot take examples of shape \[12\]: .*mat1 and mat2 shapes cannot be multiplied"),
        (nn.Linear(12, 4), r"Linear gives scores of shape \[1, 4\] for one example; Tiny needs \[1, 3\]"),
        (nn.Linear(12, 1), r"Linear gives scores of shape \[1, 1\] for one example; Tiny needs \[1, 3\]"),
        (Averaging(), r"Averaging gives scores of shape \[3\] for one example; Tiny needs \[1, 3\]"),
        (nn.Conv2d(1, 1, 3), r"Conv2d cannot take examples of shape \[12\]"),
        (nn.Embedding(4, 3), r"Embedding cannot take examples of shape \[12\]"),
    ],
    ids=["dropout", "no parameters", "inputs", "outputs", "one output", "no batch", "images", "indices"],
)
def test_a_network_that_does_not_fit(data, network, message):
    with pytest.raises(InputError, match=message):
        check_network(network, data)


def test_a_checkpoint_that_fits():
    check_state(mlp().state_dict(), mlp().state_dict())


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"weight": torch.ones(3, 12)}, r"it has nothing where this one has \[3\] for bias"),
        (
            {"bias": torch.ones(3), "weight": torch.ones(3, 9)},
            r"it has \[3, 9\] where this one has \[3, 12\] for",
        ),
        ({**nn.Linear(12, 3).state_dict(), "x": torch.ones(())}, r"it has \[\] where this one has nothing for x"),
        ({}, "it has nothing where"),
    ],
    ids=["missing", "shape", "more", "empty"],
)
def test_a_checkpoint_that_does_not_fit(saved, message):
    with pytest.raises(InputError, match=message):
        check_state(saved, nn.Linear(12, 3).state_dict())


SAVED = {"data": "Tiny", "seed": 0, "root_size": 15, "server_optimizer": "SGD", "attack": "NoAttack", "client_lr": 0.1}


@pytest.mark.parametrize(
    ("name", "value"), [("data", "Tiny (stand-in)"), ("seed", 1), ("root_size", 20), ("server_optimizer", "Adam")]
)
def test_settings_that_must_not_change_on_resume(name, value):
    told = rf"of another run \({name}: .* \(checkpoint\), {re.escape(str(value))} \(given\)\): "
    with pytest.raises(InputError, match=told):
        check_settings_kept(SAVED, SAVED | {name: value}, training=True)


def test_all_that_must_not_change_is_told_at_once():
    changed = SAVED | {"data": "Other", "seed": 1, "root_size": 20, "client_lr": 0.2}
    with pytest.raises(InputError) as refused:
        check_settings_kept(SAVED, changed, training=True)
    assert str(refused.value) == (
        "the checkpoint is of another run (data: Tiny (checkpoint), Other (given); seed: 0 (checkpoint), 1 (given);"
        " root_size: 15 (checkpoint), 20 (given)): give the data it was trained on; pass it as --seed_everything;"
        " its root dataset must stay apart from the clients' data"
    )


def test_settings_that_may_change_on_resume():
    with pytest.warns(UserWarning, match=r"attack: NoAttack \(checkpoint\), TrimAttack \(given\); client_lr: 0\.1 "):
        check_settings_kept(SAVED, SAVED | {"attack": "TrimAttack", "client_lr": 0.2}, training=True)


def test_an_evaluation_minds_only_data_and_seed():
    check_settings_kept(SAVED, SAVED | {"root_size": 20}, training=False)
    with pytest.raises(InputError, match=r"seed: 0 \(checkpoint\), 1 \(given\)\): pass it as --seed_everything"):
        check_settings_kept(SAVED, SAVED | {"seed": 1}, training=False)


def test_a_decay_that_never_happens():
    check_milestones([5], 0.5, 10)
    with pytest.warns(UserWarning, match=r"lr_gamma=0\.5 has no effect without"):
        check_milestones([], 0.5, 10)
    with pytest.warns(UserWarning, match="holds 10, and training ends after 10 rounds"):
        check_milestones([5, 10], 0.9, 10)
