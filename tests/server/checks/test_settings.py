import pytest
import torch
from tiny import TinyData
from torch import nn

from callbacks import AdaptiveAttack, Bucketing, FedAvg, FLTrust, Krum, NoAttack, ScalingAttack, TrimAttack, TrimmedMean
from flt.errors import InputError
from flt.runs.restoring import check_settings_kept, check_state
from flt.server.checks.settings import check_milestones, check_precision


def test_precisions():
    check_precision("32-true")
    check_precision("bf16-mixed")
    with pytest.raises(InputError, match=r"trainer\.precision=16-mixed is not supported .*: use 32-true or bf16-"):
        check_precision("16-mixed")


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"weight": torch.ones(3, 12)}, r"it has nothing where this one has \[3\] for bias"),
        (
            {"bias": torch.ones(3), "weight": torch.ones(3, 9)},
            r"it has \[3, 9\] where this one has \[3, 12\] for",
        ),
        ({**nn.Linear(12, 3).state_dict(), "x": torch.ones(())}, r"it has \[\] where this one has nothing for x"),
    ],
    ids=["missing", "shape", "more"],
)
def test_a_checkpoint_that_does_not_fit(saved, message):
    with pytest.raises(InputError, match=message):
        check_state(saved, nn.Linear(12, 3).state_dict())


SAVED = {"data": "Tiny", "seed": 0, "root_size": 15, "server_optimizer": "SGD", "attack": "NoAttack", "client_lr": 0.1}


def test_all_that_must_not_change_is_told_at_once():
    changed = SAVED | {"data": "Other", "seed": 1, "root_size": 20, "server_optimizer": "Adam", "client_lr": 0.2}
    with pytest.raises(InputError) as refused:
        check_settings_kept(SAVED, changed, training=True)
    assert str(refused.value) == (
        "the checkpoint is of another run (data: Tiny (checkpoint), Other (given); seed: 0 (checkpoint), 1 (given);"
        " root_size: 15 (checkpoint), 20 (given); server_optimizer: SGD (checkpoint), Adam (given)): give the data it"
        " was trained on; pass it as --seed_everything; its root dataset must stay apart from the clients' data; its"
        " state is of no use to another optimizer"
    )


def test_settings_that_may_change_on_resume():
    with pytest.warns(UserWarning, match=r"attack: NoAttack \(checkpoint\), TrimAttack \(given\); client_lr: 0\.1 "):
        check_settings_kept(SAVED, SAVED | {"attack": "TrimAttack", "client_lr": 0.2}, training=True)


def test_an_evaluation_minds_only_data_and_seed():
    check_settings_kept(SAVED, SAVED | {"root_size": 20}, training=False)
    with pytest.raises(InputError, match=r"seed: 0 \(checkpoint\), 1 \(given\)\): pass it as --seed_everything"):
        check_settings_kept(SAVED, SAVED | {"seed": 1}, training=False)


def test_a_decay_that_never_happens():
    check_milestones([5], 0.5, 0.1, num_rounds=10)
    with pytest.warns(UserWarning, match=r"lr_gamma=0\.5 has no effect without"):
        check_milestones([], 0.5, 0.1, num_rounds=10)
    with pytest.warns(UserWarning, match="holds 10, and training ends after 10 rounds"):
        check_milestones([5, 10], 0.9, 0.1, num_rounds=10)
    with pytest.warns(UserWarning, match=r"lr_milestones=\[5\] have no effect with model.lr_gamma=1"):
        check_milestones([5], 1.0, 0.1, num_rounds=10)


def tiny_with(**attributes):
    data = TinyData(bias_probability=attributes.pop("bias_probability", None))
    for name, value in attributes.items():
        setattr(data, name, value)
    return data


WITHOUT_EFFECT = {
    "a biased class without a bias": (
        lambda: ([FLTrust()], {"data": tiny_with(biased_class=2)}),
        "data.biased_class=2 has no effect without data.bias_probability",
    ),
    "a folder of data that are made up": (
        lambda: ([FLTrust()], {"data": tiny_with(stand_in="always", data_dir="nowhere")}),
        "data.data_dir=nowhere has no effect with data.stand_in=always",
    ),
    "a biased root dataset that nobody uses": (
        lambda: ([FedAvg()], {"data": tiny_with(bias_probability=0.5)}),
        "data.bias_probability=0.5 changes nothing but what the clients are left with",
    ),
    "a root batch that nobody uses": (
        lambda: ([FedAvg()], {"root_batch_size": 5}),
        "model.root_batch_size has no effect",
    ),
    "a proximal term of one step": (
        lambda: ([FLTrust()], {"proximal": 0.1}),
        "model.proximal=0.1 has no effect with one local step",
    ),
    "a proximal term of one batch": (
        lambda: ([FedAvg()], {"proximal": 0.1, "local_epochs": 1, "data": TinyData(batch_size=40)}),
        "model.proximal=0.1 has no effect with one local step",
    ),
    "an attack of nobody": (
        lambda: ([FLTrust(), TrimAttack(0.0)], {}),
        "attack.fraction=0 makes none of 10 clients malicious: TrimAttack has no effect",
    ),
    "an attack of too few": (lambda: ([FLTrust(), ScalingAttack(0.04)], {}), "attack.fraction=0.04 makes none of 10"),
    "a fraction of version 0.1 and a rule that does not ask": (
        lambda: ([FLTrust(), NoAttack(0.4)], {}),
        "attack.fraction=0.4 has no effect: NoAttack makes nobody malicious",
    ),
    "a fraction of version 0.1 and the setting in its place": (
        lambda: ([Krum(), NoAttack(0.4)], {"num_byzantine": 1}),
        "attack.fraction=0.4 has no effect",
    ),
    "a number to assume and a rule that does not ask": (
        lambda: ([FLTrust()], {"num_byzantine": 2}),
        "model.num_byzantine=2 has no effect: FLTrust does not take from it",
    ),
    "a number of its own": (lambda: ([Krum(1)], {"num_byzantine": 2}), "model.num_byzantine=2 has no effect"),
    "a ramp longer than the attack": (
        lambda: ([FLTrust(), TrimAttack(ramp=2)], {}),
        "attack.ramp=2 is longer than the 1 rounds of the attack",
    ),
    "random layers that there are not": (
        lambda: ([FLTrust()], {"random_layers": "repeated"}),
        "model.random_layers=repeated has no effect: the network draws no random numbers",
    ),
    "no steps of the solver": (lambda: ([FLTrust(), AdaptiveAttack(steps=0)], {}), "attack.steps=0 leave the solver"),
}


@pytest.mark.parametrize("case", WITHOUT_EFFECT)
def test_settings_without_effect(fit, case):
    make, message = WITHOUT_EFFECT[case]

    def run():  # some say it when they are made
        callbacks, settings = make()
        fit(*callbacks, rounds=1, **settings)

    with pytest.warns(UserWarning, match=message):
        run()


@pytest.mark.parametrize(
    "make",
    [
        lambda: ([FLTrust()], {"data": tiny_with(bias_probability=0.5, biased_class=2)}),
        lambda: ([FLTrust()], {"root_batch_size": 5}),
        lambda: ([FedAvg(), AdaptiveAttack()], {"root_batch_size": 5}),
        lambda: ([FLTrust(), TrimAttack(0.1)], {}),
        lambda: ([Krum()], {"num_byzantine": 1}),
        lambda: ([Bucketing(TrimmedMean())], {"num_byzantine": 1}),
    ],
    ids=["bias", "root batch", "root batch of the attack", "one", "Krum asks", "an inner rule asks"],
)
def test_settings_with_an_effect(fit, make):
    callbacks, settings = make()
    fit(*callbacks, rounds=1, **settings)
