"""Rules and callbacks written for version 0.1 run, by the imports and in the words of its documentation."""

import pytest
import torch
from tiny import parameters_of

from callbacks import FedAvg
from callbacks.aggregation.fedavg import shares_of
from flt.federation import Attack
from flt.functional.weighted_sum import WeightedSum
from flt.hooks import Aggregate, Aggregation, FederatedCallback, Round
from flt.judgement import Judgement
from flt.streaming import PartialAggregate, WeightedAggregation


class Mean(WeightedAggregation):
    def fold(self, round: Round) -> PartialAggregate:
        shares = shares_of(round)
        sums = (WeightedSum.of(values, shares) for values in (round.updates, round.statistics))
        return PartialAggregate(*sums, (Judgement(weights=shares),))


class MeanAtOnce(Aggregation):
    def aggregate(self, round: Round) -> Aggregate:
        weights = (shares_of(round) / shares_of(round).sum()).to(round.updates)
        return Aggregate(weights @ round.updates, judgement=Judgement(weights=weights))


class Scaling(FederatedCallback):
    by_client = True

    def on_updates_received(self, round: Round) -> Round:
        return round.replace(updates=0.5 * round.updates)


class Centring(Scaling):
    def on_updates_received(self, round: Round) -> Round:
        return round.replace(updates=round.updates - round.updates.mean(dim=0))


class Turning(Attack):
    by_client = True

    def craft(self, round: Round) -> torch.Tensor:
        return torch.where(round.malicious[:, None], -round.updates, round.updates)


class Knowing(Turning):
    def craft(self, round: Round) -> torch.Tensor:
        return torch.where(round.malicious[:, None], -round.updates.mean(dim=0), round.updates)


def test_rules_of_both_kinds_are_the_mean(fit):
    old, at_once, own = (parameters_of(fit(rule, rounds=2)) for rule in (Mean(), MeanAtOnce(), FedAvg()))
    assert torch.equal(old, own)
    torch.testing.assert_close(at_once, own)


@pytest.mark.parametrize(
    ("callback", "expected"),
    [(Scaling(), True), (Centring(), False), (Turning(0.2), True), (Knowing(0.2), False)],
    ids=lambda value: type(value).__name__ if isinstance(value, FederatedCallback) else "",
)
def test_a_class_that_says_by_client_lets_rounds_come_in_parts(fit, callback, expected):
    """An override of a class that says nothing of its own gets all updates at once."""
    assert fit(Mean(), callback, rounds=1)._reception.takes_parts is expected
