"""Multi-Krum as a callback."""

from callbacks.aggregation.krum import check_neighbours, neighbours_in, warn_beyond_proof
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Round
from flt.functional.aggregation.krum import krum_scores_of
from flt.functional.aggregation.selection.multi_krum import (
    iterative_multi_krum_weights,
    most_selected,
    multi_krum_weights,
)


class MultiKrum(Aggregation):
    """Mean of the updates closest to their nearest neighbours.

    Scores are sums of squared distances to the neighbours; less is better.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), of which ``f + 3`` clients are the least (with
            ``iterative`` ``2 f + 3``); null is ``model.num_byzantine``.
        num_selected: Updates in the mean (m); null is ``n - f``, with ``iterative`` ``n - 2 f - 2``. ``n - f - 2`` is
            in use as well; with ``iterative``, where each needs a neighbour to be judged by, ``n - f - 3`` is the most.
        num_neighbours: Nearest others whose distances count (q), fewer than the clients of a round; null is the
            paper's ``n - f - 2``, with ``iterative`` one less. The authors' own code takes ``n - f - 1``.
        iterative: Whether updates are selected one after the other, each by its distances to those left, as in the
            code of Shejwalkar and Houmansadr (NDSS 2021). There are no scores then.

    Raises:
        InputError: If there are too few clients for the numbers; before the first round.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017.

    Reading:
        The mean is one of ``n - f`` updates, in which each counts the same.
    """

    def __init__(
        self,
        num_byzantine: int | None = None,
        num_selected: int | None = None,
        num_neighbours: int | None = None,
        iterative: bool = False,
    ) -> None:
        self.byzantine = Byzantine.needing(num_byzantine, times=2 if iterative else 1, plus=3)
        self.num_selected = num_selected
        self.num_neighbours = num_neighbours
        self.iterative = iterative

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that the rule is defined for so many clients, and warns where nothing is known of Krum."""
        self.byzantine.check(federation, self.label)
        check_neighbours(self.num_neighbours, federation)
        rows, tolerated = federation.rows_per_round, self.byzantine.expected(federation)
        most = self._most_selected(rows, tolerated)
        if self.num_selected is not None and not 1 <= self.num_selected <= most:
            raise InputError(
                f"aggregation.num_selected={self.num_selected}: a round has {rows} updates: set it to 1 to {most}"
            )
        warn_beyond_proof(tolerated, federation)

    def aggregate(self, round: Round) -> Aggregate:
        """Applies the functions of `flt.functional.aggregation.selection.multi_krum`."""
        f, gram = self.byzantine.of(round), round.rows.gram
        num_neighbours = neighbours_in(self.num_neighbours, round)
        num_selected = None if self.num_selected is None else min(self.num_selected, self._most_selected(len(round), f))
        if self.iterative:
            weights = iterative_multi_krum_weights(
                gram, num_byzantine=f, num_selected=num_selected, num_neighbours=num_neighbours
            )
            return Aggregate.mean_of(round, weights)
        scores = krum_scores_of(gram, num_byzantine=f, num_neighbours=num_neighbours)
        weights = multi_krum_weights(scores, num_byzantine=f, num_selected=num_selected)
        return Aggregate.mean_of(round, weights, scores=scores)

    def _most_selected(self, num_rows: int, num_byzantine: int) -> int:
        return most_selected(num_rows, num_byzantine, self.num_neighbours) if self.iterative else num_rows
