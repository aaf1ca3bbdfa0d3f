"""Krum as a callback."""

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.federation import Byzantine, ClientWeights, Federation, Round
from flt.functional.aggregation.krum import krum_weights


class Krum(ClientWeights):
    """The one update closest to its nearest neighbours.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), of which ``f + 3`` clients are the least; null is
            the number of malicious clients, as in the paper.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017.
    """

    def __init__(self, num_byzantine: int | None = None) -> None:
        self.byzantine = Byzantine(num_byzantine, lambda f: f + 3, "num_byzantine + 3 updates or more")

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that Krum is defined for so many clients, and warns where nothing is known of it."""
        self.byzantine.check(federation, self.label)
        tolerated = self.byzantine.expected(federation)
        if federation.rows_per_round < 2 * tolerated + 3:
            rank_zero_warn(
                f"Krum is proven to tolerate {tolerated} malicious among {2 * tolerated + 3} clients or more"
            )

    def weigh(self, round: Round) -> Tensor:
        """Applies `flt.functional.aggregation.krum.krum_weights`."""
        return krum_weights(round.rows.gram, num_byzantine=self.byzantine.of(round))
