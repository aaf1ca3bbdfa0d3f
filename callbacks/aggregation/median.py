"""The coordinate-wise median as a callback."""

from flt.federation import Aggregate, Aggregation, Round
from flt.functional import median


class Median(Aggregation):
    """Coordinate-wise median of the updates.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.
    """

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.median`."""
        return Aggregate(median(round.updates), statistics=median(round.statistics))
