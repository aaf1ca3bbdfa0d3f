"""The trimmed mean as a callback."""

from flt.federation import Aggregate, Aggregation, Federation, Round
from flt.functional import trimmed_mean
from flt.functional.aggregation.coordinatewise import check_trim


class TrimmedMean(Aggregation):
    """Coordinate-wise mean after dropping the largest and smallest values (Trim-mean).

    Args:
        trim: Values dropped at each end of a coordinate (k), less than half of the clients of a round; null is the
            number of malicious clients, as in the paper.

    Raises:
        InputError: If ``trim`` does not fit the number of clients; before the first round.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.
    """

    def __init__(self, trim: int | None = None) -> None:
        self.trim = trim

    def _trim(self, federation: Federation) -> int:
        return federation.expected_per_round if self.trim is None else self.trim

    def describe(self, federation: Federation) -> str:
        """The rule and how much it trims."""
        return f"{self.label}, trim {self._trim(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that something is left after trimming."""
        check_trim(self._trim(federation), federation.clients_per_round)

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.trimmed_mean`."""
        # A dropped update is one that need not be trimmed any more, so what is left is never trimmed away.
        trim = max(0, self._trim(round.federation) - round.num_dropped)
        return Aggregate(trimmed_mean(round.updates, trim=trim), statistics=trimmed_mean(round.statistics, trim=trim))
