"""The coordinate-wise median as a callback."""

from torch import Tensor

from flt.federation import Coordinatewise, Round
from flt.functional import kappa_of_median, median


class Median(Coordinatewise):
    """Coordinate-wise median of the updates.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.
    """

    def columns(self, values: Tensor, round: Round) -> Tensor:
        """Applies `flt.functional.median`."""
        return median(values)

    def kappa_bound(self, round: Round) -> float | None:
        """See `flt.functional.kappa_of_median`."""
        return kappa_of_median(len(round), int(round.malicious.sum()))
