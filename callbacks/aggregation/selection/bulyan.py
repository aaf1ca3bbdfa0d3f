"""Bulyan as a callback."""

import torch
from torch import Tensor

from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Judgement, Round
from flt.functional.aggregation.selection.bulyan import bulyan_mean, bulyan_select


class Bulyan(Aggregation):
    """Mean of each coordinate's values around the median of updates that Krum selects one by one.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), of which ``4 f + 3`` clients are the least; null is
            the number of malicious clients.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        El Mhamdi, Guerraoui and Rouault, The Hidden Vulnerability of Distributed Learning in Byzantium, ICML 2018.

    Reading:
        ``n - 2 f`` updates are selected, each by its distances to the ``max(1, r - f - 2)`` nearest of r left. Each
        coordinate is the mean of the ``n - 4 f`` values closest to their median; of two equally close the lower one.
    """

    def __init__(self, num_byzantine: int | None = None) -> None:
        self.byzantine = Byzantine.needing(num_byzantine, times=4, plus=3)

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that the rule is defined for so many clients."""
        self.byzantine.check(federation, self.label)

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.bulyan`, to the statistics with the same updates selected."""
        f = self.byzantine.of(round)
        chosen = bulyan_select(round.rows.gram, num_byzantine=f)

        def mean(values: Tensor) -> Tensor:
            return bulyan_mean(values, num_byzantine=f)

        kept = torch.zeros(len(round), dtype=torch.bool, device=chosen.device)
        return Aggregate(
            round.rows.by_columns(mean, chosen),
            statistics=mean(round.statistics[chosen]),
            judgement=Judgement(kept=kept.index_fill(0, chosen, True)),
        )
