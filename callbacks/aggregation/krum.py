"""Krum as a callback."""

from functools import partial

from lightning.pytorch.utilities import rank_zero_warn

from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Round
from flt.functional.aggregation.krum import check_power, krum_scores_of, krum_weights
from flt.functional.guarantees.robustness import kappa_of_krum


class Krum(Aggregation):
    """The one update closest to its nearest neighbours.

    Scores are sums of squared distances to the neighbours; less is better.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), of which ``f + 3`` clients are the least; null is
            ``model.num_byzantine``, and with it the number of malicious clients, as in the paper.
        num_neighbours: Nearest others whose distances count (q), fewer than the clients of a round; null is the
            paper's ``n - f - 2``. The authors' own code takes ``n - f - 1``.
        power: What distances are raised to before they are summed, 2 or 4; the bucketing paper's code takes 4.

    Raises:
        InputError: If ``power`` is another number, or there are too few clients for ``num_byzantine`` or
            ``num_neighbours``; before the first round.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017.
    """

    def __init__(self, num_byzantine: int | None = None, num_neighbours: int | None = None, power: int = 2) -> None:
        check_power("aggregation.power", power)
        self.byzantine = Byzantine.needing(num_byzantine, times=1, plus=3)
        self.num_neighbours = num_neighbours
        self.power = power

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        power = "" if self.power == 2 else f", power {self.power}"
        return f"{self.label}, {self.byzantine.describe(federation)}{power}"

    def check(self, federation: Federation) -> None:
        """Checks that Krum is defined for so many clients, and warns where nothing is known of it."""
        self.byzantine.check(federation, self.label)
        check_neighbours(self.num_neighbours, federation)
        warn_beyond_proof(self.byzantine.expected(federation), federation)

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.aggregation.krum.krum_scores_of`."""
        scores = krum_scores_of(
            round.rows.gram,
            num_byzantine=self.byzantine.of(round),
            num_neighbours=neighbours_in(self.num_neighbours, round),
            power=self.power,
        )
        return Aggregate.mean_of(round, krum_weights(scores), scores=scores)

    def kappa_bound(self, round: Round) -> float | None:
        """See `flt.functional.kappa_of_krum`; of squared distances alone."""
        neighbours = neighbours_in(self.num_neighbours, round)
        bound = partial(kappa_of_krum, num_neighbours=neighbours)
        return self.byzantine.kappa_bound(round, bound) if self.power == 2 else None


def check_neighbours(num_neighbours: int | None, federation: Federation) -> None:
    """Raises an `InputError` unless an update has so many others in a round."""
    most = federation.rows_per_round - 1
    if num_neighbours is not None and not 1 <= num_neighbours <= most:
        raise InputError(f"aggregation.num_neighbours={num_neighbours}: set it to 1 to {most}, the others in a round")


def neighbours_in(num_neighbours: int | None, round: Round) -> int | None:
    """The setting for the updates of a round, some of which may have been dropped."""
    return None if num_neighbours is None else min(num_neighbours, max(1, len(round) - 1))


def warn_beyond_proof(tolerated: int, federation: Federation) -> None:
    """Warns that nothing is known of Krum where half of the others may be malicious."""
    if federation.rows_per_round < 2 * tolerated + 3:
        rank_zero_warn(f"Krum is proven to tolerate {tolerated} malicious among {2 * tolerated + 3} clients or more")
