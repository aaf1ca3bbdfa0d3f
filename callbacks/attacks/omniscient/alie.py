"""ALIE as a callback."""

from typing import Any

from torch import Tensor

from callbacks.attacks.omniscient.known import warn_of_one_known
from callbacks.attacks.omniscient.shift import check_ddof, checked_shift, warn_of_shift
from flt.errors import check_choice
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.omniscient.alie import Sign, alie


class ALIE(Attack):
    """Malicious clients send the mean of the benign updates, shifted by less than those differ from each other.

    Args:
        z: Standard deviations, coordinate by coordinate, by which they are off that mean; "formula" is the paper's
            z for the number of clients and malicious clients of the round.
        sign: Whether the shift is taken from the mean ("minus") or added to it ("plus").
        ddof: What is taken from the number of updates in the variance's divisor, 0 or 1.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        The paper has a formula for z, and experiments with shifts of up to 1.5 deviations, where its formula gives 0.36
        (51 clients, 12 of them malicious): 1.5 is the default, as published figures are for that. The formula has no
        answer where the malicious clients are a majority, and a negative one for few clients; z is what one supporter
        would give in the former case, 0 in the latter, and that is said before the first round. "minus" is the paper's,
        "plus" its authors' code.

    Reference:
        Baruch, Baruch and Goldberg, A Little Is Enough: Circumventing Defenses For Distributed Learning, NeurIPS 2019.
    """

    uses_knowledge = True

    def __init__(self, z: float | str = 1.5, sign: Sign = "minus", ddof: int = 0, **settings: Any) -> None:
        super().__init__(**settings)
        check_choice("attack.sign", sign, Sign)
        check_ddof(ddof)
        self.z, self.sign, self.ddof = checked_shift(z), sign, ddof

    def check(self, federation: Federation) -> None:
        """Warns where the formula for z has no answer, or too little is known."""
        warn_of_shift(self.z, federation)
        warn_of_one_known(self, federation)

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.omniscient.alie`."""
        return alie(
            round.updates,
            round.malicious,
            knowledge=self.knowledge,
            z=self.z,
            sign=self.sign,
            ddof=self.ddof,
            num_clients=round.num_participants,
        )
