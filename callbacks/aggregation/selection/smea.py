"""Smallest maximum eigenvalue averaging as a callback."""

from torch import Tensor

from flt.errors import InputError
from flt.federation import Byzantine, ClientWeights, Federation, Round
from flt.functional.aggregation.selection.smea import num_subsets, smea_weights


class SMEA(ClientWeights):
    """Mean of the updates that differ least along any direction: smallest maximum eigenvalue averaging.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half; the ``n - f`` updates whose
            covariance has the smallest top eigenvalue are in the mean. Null is the number of malicious clients.
        max_subsets: Subsets of a round's clients that may be looked at; a million take some tenths of a second.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``, or too many subsets; before the first round.

    Reference:
        Allouah et al., On the Privacy-Robustness-Utility Trilemma in Distributed Learning, ICML 2023.

    Reading:
        Eigenvalues are exact. A subset is left aside only where its variance along some direction is larger already.
    """

    def __init__(self, num_byzantine: int | None = None, max_subsets: int = 1_000_000) -> None:
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)
        self.max_subsets = max_subsets

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that the rule is defined for so many clients, and that there are not too many subsets of them."""
        self.byzantine.check(federation, self.label)
        tolerated, rows = self.byzantine.expected(federation), federation.rows_per_round
        if num_subsets(rows, tolerated) > self.max_subsets:
            most = max((f for f in range(tolerated) if num_subsets(rows, f) <= self.max_subsets), default=0)
            raise InputError(
                f"aggregation.num_byzantine={tolerated}: {self.label} of {rows} updates would look at"
                f" {num_subsets(rows, tolerated):,} subsets in a round: set it to at most {most}, or raise"
                f" aggregation.max_subsets={self.max_subsets}"
            )

    def weigh(self, round: Round) -> Tensor:
        """Applies `flt.functional.smea`."""
        return smea_weights(round.rows.gram, num_byzantine=self.byzantine.of(round))
