"""The norm-bounded mean as a callback."""

from callbacks.aggregation.fedavg import shares_of
from flt.errors import check_positive
from flt.federation import Federation, Judgement, PartialAggregate, Round, Streaming
from flt.functional.aggregation.norm_bounded_mean import norm_bounded_sum
from flt.functional.weighted_sum import WeightedSum


class NormBoundedMean(Streaming):
    """FedAvg of updates that are shortened to a largest length.

    Args:
        max_norm: That length, the bound on an update's Euclidean norm.

    Raises:
        InputError: If ``max_norm`` is not above 0.

    Reference:
        Sun et al., Can You Really Backdoor Federated Learning?, 2019.
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        check_positive("aggregation.max_norm", max_norm)
        self.max_norm = max_norm

    def describe(self, federation: Federation) -> str:
        """The rule and its bound."""
        return f"{self.label}, max_norm {self.max_norm:g}"

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up a part's updates; see `flt.functional.aggregation.norm_bounded_mean`."""
        shares = shares_of(round)
        updates = norm_bounded_sum(round.rows, shares, max_norm=self.max_norm)
        return PartialAggregate(updates, WeightedSum.of(round.statistics, shares), (Judgement(weights=shares),))
