"""Minimum-diameter averaging as a callback."""

from torch import Tensor

from flt.errors import InputError
from flt.federation import Byzantine, ClientWeights, Federation, Round
from flt.functional.aggregation.selection.cover import most_trials
from flt.functional.aggregation.selection.mda import mda_weights


class MDA(ClientWeights):
    """Mean of the updates that lie closest together: minimum-diameter averaging.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half; the ``n - f`` updates whose
            largest distance from each other is smallest are in the mean. Null is the number of malicious clients.
        max_trials: Trials that the exact search may need in a round at worst, about ``1.5^f``; most rounds need a few.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``, or the search might need more trials; before the
            first round.

    Reference:
        El Mhamdi et al., Genuinely Distributed Byzantine Machine Learning, PODC 2020.
    """

    def __init__(self, num_byzantine: int | None = None, max_trials: int = 1_000_000) -> None:
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)
        self.max_trials = max_trials

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that the rule is defined for so many clients, and that the search will end."""
        self.byzantine.check(federation, self.label)
        tolerated = self.byzantine.expected(federation)
        if most_trials(tolerated) > self.max_trials:
            most = max((f for f in range(tolerated) if most_trials(f) <= self.max_trials), default=0)
            raise InputError(
                f"aggregation.num_byzantine={tolerated}: {self.label} may need {most_trials(tolerated):,} trials in a"
                f" round: set it to at most {most}, or raise aggregation.max_trials={self.max_trials}"
            )

    def weigh(self, round: Round) -> Tensor:
        """Applies `flt.functional.mda`."""
        return mda_weights(round.rows.gram, num_byzantine=self.byzantine.of(round))
