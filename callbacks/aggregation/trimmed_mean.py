"""The trimmed mean as a callback."""

from torch import Tensor

from flt.federation import Byzantine, Coordinatewise, Federation, Round
from flt.functional import kappa_of_trimmed_mean, trimmed_mean


class TrimmedMean(Coordinatewise):
    """Coordinate-wise mean after dropping the largest and smallest values (Trim-mean).

    Args:
        trim: Values dropped at each end of a coordinate (k), less than half of the clients of a round; null is
            ``model.num_byzantine``, and with it the number of malicious clients, as in the paper.

    Raises:
        InputError: If ``trim`` does not fit the number of clients; before the first round.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.
    """

    def __init__(self, trim: int | None = None) -> None:
        self.byzantine = Byzantine.needing(trim, times=2, plus=1, setting="trim")

    def describe(self, federation: Federation) -> str:
        """The rule and how much it trims."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that something is left after trimming."""
        self.byzantine.check(federation, self.label)

    def columns(self, values: Tensor, round: Round) -> Tensor:
        """Applies `flt.functional.trimmed_mean`."""
        return trimmed_mean(values, trim=self.byzantine.of(round))

    def kappa_bound(self, round: Round) -> float | None:
        """See `flt.functional.kappa_of_trimmed_mean`."""
        return self.byzantine.kappa_bound(round, kappa_of_trimmed_mean)
