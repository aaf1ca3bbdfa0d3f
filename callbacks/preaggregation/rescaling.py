"""Rescaling as a callback."""

from torch import Tensor

from callbacks.aggregation import FedAvg
from flt.federation import Aggregation, PreAggregation, Round
from flt.functional.preaggregation.rescaling import rescaling_factors


class Rescaling(PreAggregation):
    """Brings every update to the median length of those that are not zero, then applies a rule.

    Around NNM it makes neighbours of updates that go the same way: short ones are near to all others otherwise, and
    long ones to none.

    Args:
        rule: The rule that gets the rescaled updates; null is FedAvg.
    """

    def __init__(self, rule: Aggregation | None = None) -> None:
        super().__init__(FedAvg() if rule is None else rule)

    def mix(self, round: Round) -> Tensor:
        """See `flt.functional.rescaling`."""
        return rescaling_factors(round.rows.norms).diag()
