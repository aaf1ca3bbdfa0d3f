"""CAF as a callback."""

from torch import Tensor

from flt.federation import Byzantine, ClientWeights, Federation, Round
from flt.functional.aggregation.selection.caf import caf_weights


class CAF(ClientWeights):
    """Weighted mean of the updates after a filter has weighed down those that stand out along any direction.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half; null is the number of malicious
            clients.
        compare_dropped: Whether updates that have lost all their weight still set the measure for the others, as in the
            authors' code; else each pass takes all its weight from at least one.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Allouah, Guerraoui and Stephan, Towards Trustworthy Federated Learning with Untrusted Participants, ICML 2025.

    Reading:
        The direction is the exact top eigenvector of the weighted covariance, found anew in each pass. A dropped update
        that sets the measure may slow the filter down: it goes through no more than 4 n passes.
    """

    def __init__(self, num_byzantine: int | None = None, compare_dropped: bool = True) -> None:
        self.compare_dropped = compare_dropped
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that the rule is defined for so many clients."""
        self.byzantine.check(federation, self.label)

    def weigh(self, round: Round) -> Tensor:
        """Applies `flt.functional.caf`."""
        f = self.byzantine.of(round)
        return caf_weights(round.rows.gram, num_byzantine=f, compare_dropped=self.compare_dropped)
