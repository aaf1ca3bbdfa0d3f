"""FedAvg as a callback."""

from flt.functional.weighted_sum import WeightedSum
from flt.hooks import Round
from flt.streaming import PartialAggregate, WeightedAggregation


class FedAvg(WeightedAggregation):
    """Mean of the updates weighted by the size of each client's data.

    Reference:
        McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017.
    """

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up a part's updates; see `flt.functional.fedavg`."""
        # Any common factor will do; this one keeps the sum below the largest update.
        shares = round.num_examples.double() / round.federation.num_examples.sum().clamp(min=1)
        shares = shares.to(round.updates.device)
        return PartialAggregate(WeightedSum.of(round.updates, shares), WeightedSum.of(round.statistics, shares))
