"""IPM as a callback."""

from typing import Any

from torch import Tensor

from flt.errors import check_positive
from flt.federation import Attack, Round
from flt.functional.attacks.omniscient.ipm import ipm


class IPM(Attack):
    """Malicious clients send the mean of the benign updates turned around, short enough not to stand out.

    Args:
        epsilon: How long it is, in lengths of that mean. The plain mean of all is turned around where it is above the
            number of benign clients for each malicious one.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        Under partial knowledge it is the mean of the malicious clients' own honest updates. FLTrust drops what they
        send while the mean is at less than a right angle to the root update, and trusts it in other rounds, whatever
        ``epsilon`` is.

    Reference:
        Xie, Koyejo and Gupta, Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product Manipulation, UAI 2019.
    """

    uses_knowledge = True

    def __init__(self, epsilon: float = 0.1, **settings: Any) -> None:
        super().__init__(**settings)
        check_positive("attack.epsilon", epsilon)
        self.epsilon = epsilon

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.omniscient.ipm`."""
        return ipm(round.updates, round.malicious, knowledge=self.knowledge, epsilon=self.epsilon)
