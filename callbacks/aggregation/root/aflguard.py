"""AFLGuard as a callback."""

from callbacks.aggregation.fedavg import equal_shares
from flt.errors import check_positive
from flt.federation import Federation, Judgement, PartialAggregate, Round, Streaming
from flt.functional.aggregation.root.aflguard import aflguard_sum
from flt.functional.weighted_sum import WeightedSum


class AFLGuard(Streaming):
    """Mean of the updates that lie close to the update on the server's root dataset.

    Its scores are distances from the root update, in lengths of that: less is better.

    Args:
        tolerance: Largest distance of an update that is accepted, in lengths of the root update (lambda).

    Raises:
        InputError: If ``tolerance`` is not above 0.

    Reading:
        The original takes one update at a time, as it arrives; here a round's accepted updates count alike. Where none
        is accepted, the aggregate is zero.

    Reference:
        Fang et al., AFLGuard: Byzantine-robust Asynchronous Federated Learning, ACSAC 2022.
    """

    needs_root_update = True

    def __init__(self, tolerance: float = 1.5) -> None:
        check_positive("aggregation.tolerance", tolerance)
        self.tolerance = tolerance

    def describe(self, federation: Federation) -> str:
        """The rule and its tolerance."""
        return f"{self.label}, tolerance {self.tolerance:g}"

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up what is accepted of a part's updates; see `flt.functional.aflguard`."""
        root_update = round.require_root_update()
        total, weights, distances = aflguard_sum(round.rows, root_update, equal_shares(round), tolerance=self.tolerance)
        judgement = Judgement(weights=weights, scores=distances)
        return PartialAggregate(total, WeightedSum.of(round.statistics, weights), (judgement,))
