"""Rates worked out by hand, and when they are measured."""

import pytest
import torch
from tiny import NUM_CLASSES, NUM_FEATURES, TinyData, module, trainer
from torch import nn

from callbacks import FedAvg, LabelFlipping, ScalingAttack
from flt.data import Examples, FeatureTrigger, SemanticTrigger
from flt.federation import FederatedCallback


class Fixed(nn.Module):
    """Scores that can be worked out by hand: the class is where the largest of the first three features is."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, features):
        return self.scale * features[:, :NUM_CLASSES]


class ByHand(TinyData):
    """Seven test examples, all else zero; with the trigger, feature 1 is 5."""

    trigger = FeatureTrigger([1], value=5.0)
    target_class = 1

    def load(self, seed):
        features = torch.zeros(7, NUM_FEATURES)
        features[:, :3] = torch.tensor(
            [
                [9.0, 0.0, 0.0],  # class 0; the trigger's 5 is not enough
                [4.0, 0.0, 0.0],  # class 0; with the trigger 1
                [0.0, 0.0, 9.0],  # predicted 2
                [0.0, 4.0, 0.0],  # predicted 1
                [0.0, 9.0, 0.0],  # predicted 1; with the trigger, 5 instead of 9, still 1
                [0.0, 0.0, 4.0],  # predicted 2; with the trigger 1
                [6.0, 0.0, 0.0],  # predicted 0
            ]
        )
        labels = torch.tensor([0, 0, 0, 1, 1, 2, 1])
        raw = super().load(seed)
        return type(raw)(raw.train, raw.owners, Examples(features, labels), False, raw.num_clients)


def rates(run):
    return {name: float(value) for name, value in run.callback_metrics.items()}


@pytest.mark.parametrize("eval_batch_size", [1, 3, 100])
def test_rates_worked_out_by_hand(tmp_path, eval_batch_size):
    """Two of seven are wrong; of the four whose class is not 1, two are taken for 1 under the trigger."""
    run = trainer(tmp_path, ScalingAttack())
    expected = {"testing_error_rate": pytest.approx(2 / 7), "attack_success_rate": pytest.approx(2 / 4)}
    for evaluate in (run.validate, run.test):
        returned = evaluate(module(Fixed()), datamodule=ByHand(eval_batch_size=eval_batch_size), verbose=False)
        assert (returned, rates(run)) == ([expected], expected)


class NeverEmpty(Fixed):
    def forward(self, features):
        return super().forward(features.view(len(features), -1))


def test_the_network_is_not_called_where_nothing_is_tested(tmp_path):
    """Of the batches of one example three are of the target class, and their views are of nothing."""
    run, expected = trainer(tmp_path, ScalingAttack()), pytest.approx(2 / 4)
    (returned,) = run.validate(module(NeverEmpty()), datamodule=ByHand(eval_batch_size=1), verbose=False)
    assert returned["attack_success_rate"] == rates(run)["attack_success_rate"] == expected


def test_rates_with_the_attacks_own_trigger_and_target(tmp_path):
    """Feature 0 becomes 7: of the four whose class is not 0, that is less than the 9 of the fifth example only."""
    run = trainer(tmp_path, ScalingAttack(trigger=FeatureTrigger([0], value=7.0), target_class=0))
    run.validate(module(Fixed()), datamodule=ByHand(), verbose=False)
    assert rates(run)["attack_success_rate"] == pytest.approx(3 / 4)


def test_rates_on_a_validation_set(tmp_path):
    """Those of the test set are the same as without one; of a trigger that is no pattern there is no rate."""
    data = ByHand(validation_fraction=0.5)
    run = trainer(tmp_path, ScalingAttack())
    run.validate(module(Fixed()), datamodule=data, verbose=False)
    held_out = data.validation
    predicted = held_out.features[:, :NUM_CLASSES].argmax(dim=1)
    others = held_out.features[held_out.labels != 1]
    taken = data.trigger(others)[:, :NUM_CLASSES].argmax(dim=1) == 1
    expected = {
        "testing_error_rate": pytest.approx(2 / 7),
        "attack_success_rate": pytest.approx(2 / 4),
        "validation_error_rate": pytest.approx(float((predicted != held_out.labels).float().mean())),
        "validation_attack_success_rate": pytest.approx(float(taken.float().mean())),
    }
    assert rates(run) == expected
    run.test(module(Fixed()), datamodule=data, verbose=False)
    assert rates(run).keys() == {"testing_error_rate", "attack_success_rate"}
    run = trainer(tmp_path, ScalingAttack(trigger=SemanticTrigger(source_class=2)))
    run.validate(module(Fixed()), datamodule=data, verbose=False)
    assert "validation_attack_success_rate" not in rates(run)


@pytest.mark.parametrize("attack", [None, LabelFlipping])
def test_no_success_rate_without_a_backdoor(tmp_path, attack):
    run = trainer(tmp_path, *([attack()] if attack else []))
    run.validate(module(Fixed()), datamodule=ByHand(), verbose=False)
    assert rates(run) == {"testing_error_rate": pytest.approx(2 / 7)}


def test_rates_after_training_equal_those_counted_one_by_one(fit):
    data = TinyData()
    server = fit(FedAvg(), ScalingAttack(scale=1.0), data=data, rounds=5)
    wrong = taken = others = 0
    for features, label in zip(data.test.features, data.test.labels, strict=True):
        wrong += int(server.network(features[None]).argmax() != label)
        triggered = features.clone()
        triggered[[0, 5]] = 3.0
        if label != 1:
            others += 1
            taken += int(server.network(triggered[None]).argmax() == 1)
    metrics = server.trainer.callback_metrics
    assert float(metrics["testing_error_rate"]) == pytest.approx(wrong / 50)
    assert float(metrics["attack_success_rate"]) == pytest.approx(taken / others)
    assert 0 < taken < others


def test_predictions(tmp_path):
    predictions = trainer(tmp_path).predict(module(Fixed()), datamodule=ByHand(eval_batch_size=3))
    labels, predicted = (torch.cat(parts) for parts in zip(*predictions, strict=True))
    assert labels.tolist() == [0, 0, 0, 1, 1, 2, 1]
    assert predicted.tolist() == [0, 0, 2, 1, 1, 2, 0]


@pytest.mark.parametrize(("rounds", "interval", "evaluated"), [(5, 2, [2, 4, 5]), (4, 2, [2, 4])])
def test_the_last_round_is_always_evaluated_and_never_twice(fit, rounds, interval, evaluated):
    seen = []

    class Noting(FederatedCallback):
        def on_validation_end(self, trainer, pl_module):
            seen.append(trainer.global_step)

    fit(FedAvg(), Noting(), rounds=rounds, trainer_settings={"val_check_interval": interval})
    assert seen == evaluated


@pytest.mark.parametrize("eval_batch_size", [7, 16, 1000])
def test_a_backdoor_of_examples_of_its_own_is_measured_on_each_of_them_once(fit, eval_batch_size: int) -> None:
    attack = ScalingAttack(0.4, scale=1.0, trigger=SemanticTrigger(source_class=2), target_class=0)
    data = TinyData(eval_batch_size=eval_batch_size)
    server = fit(FedAvg(), attack, data=data, rounds=2)
    tested = data.test.features[data.test.labels == 2]
    expected = (server(tested).argmax(dim=1) == 0).float().mean()
    measured = server.trainer.callback_metrics["attack_success_rate"]
    assert float(measured) == pytest.approx(float(expected))
