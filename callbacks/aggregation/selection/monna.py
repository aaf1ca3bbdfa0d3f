"""MoNNA as a callback."""

from dataclasses import replace

from callbacks.aggregation.fltrust import FLTrust
from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Round, RuleAround
from flt.functional import all_finite
from flt.functional.aggregation.selection.monna import nearest_weights


class MoNNA(RuleAround):
    """Mean of the updates nearest to a pivot: the server's own update, or another rule's aggregate.

    Scores are distances from the pivot; less is better.

    Args:
        rule: The rule whose aggregate is the pivot; null takes the server's own update, on the root dataset.
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half; the ``n - f`` nearest updates are
            in the mean. Null is the number of malicious clients.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, ICML 2023.

    Reading:
        In the paper there is no server, and the pivot is a client's own update. A server that took some client's update
        might take an attacker's.
    """

    def __init__(self, rule: Aggregation | None = None, num_byzantine: int | None = None) -> None:
        super().__init__(FLTrust(variant="Server") if rule is None else rule)
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)

    def check(self, federation: Federation) -> None:
        """Checks the number to tolerate, then the rule."""
        self.byzantine.check(federation, type(self).__name__)
        super().check(federation)

    def describe(self, federation: Federation) -> str:
        """The number to tolerate, and the rule that gives the pivot."""
        return f"{super().describe(federation)}, {self.byzantine.describe(federation)}"

    def apply(self, round: Round) -> Aggregate | None:
        """Applies `flt.functional.monna`; there is no aggregate without a pivot."""
        pivot = self.ask(round)
        if pivot is None or not all_finite(pivot.update):
            return None
        distances = round.rows.distances_to(pivot.update)
        weights = nearest_weights(distances, num_byzantine=self.byzantine.of(round))
        return replace(Aggregate.mean_of(round, weights, scores=distances), memory=pivot.memory)
