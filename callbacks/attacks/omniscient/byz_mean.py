"""ByzMean as a callback."""

from typing import Any

from torch import Tensor

from callbacks.attacks.omniscient.known import warn_of_one_known
from callbacks.attacks.omniscient.shift import check_ddof
from flt.errors import check_positive
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.omniscient.byz_mean import byz_mean


class ByzMean(Attack):
    """Half of the malicious clients send ALIE's update, the others whatever makes it the plain mean of all.

    Args:
        z: Standard deviations, coordinate by coordinate, by which that mean is off the benign one.
        ddof: What is taken from the number of updates in the variance's divisor, 0 or 1.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        The mean of all clients of the round is exactly what the first half sends; the authors' code divides by fewer
        clients, and misses it. One malicious client alone is of the second half. Under partial knowledge the mean of
        the malicious clients' own honest updates stands for that of the benign ones.

    Reference:
        Xu et al., Byzantine-robust Federated Learning through Collaborative Malicious Gradient Filtering (SignGuard),
        ICDCS 2022.
    """

    uses_knowledge = True

    def __init__(self, z: float = 0.5, ddof: int = 0, **settings: Any) -> None:
        super().__init__(**settings)
        check_positive("attack.z", z)
        check_ddof(ddof)
        self.z, self.ddof = z, ddof

    def check(self, federation: Federation) -> None:
        """Warns where too little is known."""
        warn_of_one_known(self, federation)

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.omniscient.byz_mean`."""
        return byz_mean(
            round.updates,
            round.malicious,
            knowledge=self.knowledge,
            z=self.z,
            ddof=self.ddof,
            num_clients=round.num_participants,
        )
