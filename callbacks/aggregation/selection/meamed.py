"""The mean around the median as a callback."""

from torch import Tensor

from flt.federation import Byzantine, Coordinatewise, Federation, Round
from flt.functional import meamed


class MeaMed(Coordinatewise):
    """Coordinate-wise mean of the values closest to the median.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half; ``n - f`` values of a coordinate
            are in the mean. Null is the number of malicious clients.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Xie, Koyejo and Gupta, Generalized Byzantine-tolerant SGD, arXiv 1802.10116, 2018.

    Reading:
        Of two values equally far from the median the lower one is taken.
    """

    def __init__(self, num_byzantine: int | None = None) -> None:
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that the rule is defined for so many clients."""
        self.byzantine.check(federation, self.label)

    def columns(self, values: Tensor, round: Round) -> Tensor:
        """Applies `flt.functional.meamed`."""
        return meamed(values, num_byzantine=self.byzantine.of(round))
