"""FLOD as a callback."""

from flt.errors import check_positive, check_share
from flt.federation import Aggregate, Federation, Judgement, PartialAggregate, Round, Streaming
from flt.functional.aggregation.root.flod import flod_sum
from flt.functional.weighted_sum import WeightedSum


class FLOD(Streaming):
    """Mean of the updates' signs, weighted by how many of them agree with the signs of the root update.

    Args:
        step: Length of the step along each coordinate on which all agree. It is the whole learning rate, whatever the
            updates' length: 0.001 is a value to begin with.
        tolerance: Share of the coordinates from which on an update that differs in sign along so many counts nothing.

    Raises:
        InputError: If ``step`` is not above 0, or ``tolerance`` is not above 0 and at most 1.

    Reading:
        Signs differ where one of both is above 0 and the other is not; a coordinate that is 0 adds nothing.

    Reference:
        Dong et al., FLOD: Oblivious Defender for Private Byzantine-Robust Federated Learning with Dishonest-Majority,
        ESORICS 2021.
    """

    needs_root_update = True

    def __init__(self, step: float, tolerance: float = 0.5) -> None:
        check_positive("aggregation.step", step)
        check_share("aggregation.tolerance", tolerance)
        self.step, self.tolerance = step, tolerance

    def describe(self, federation: Federation) -> str:
        """The rule, the length of its step and its tolerance."""
        return f"{self.label}, step {self.step:g}, tolerance {self.tolerance:g}"

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up the signs of a part's updates; see `flt.functional.flod`."""
        votes, weights = flod_sum(round.rows, round.require_root_update(), tolerance=self.tolerance)
        total = WeightedSum(votes, weights.sum(), round.require_root_update().dtype)
        statistics = WeightedSum.of(round.statistics, weights)
        return PartialAggregate(total, statistics, (Judgement(weights=weights),))

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate | None:
        """The mean of the signs of all parts, as a step."""
        mean = super().finish(total, round)
        return None if mean is None else Aggregate(self.step * mean.update, mean.statistics, mean.judgement)
