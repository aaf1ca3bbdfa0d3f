"""The cosine attack as a callback."""

from typing import Any

from torch import Tensor

from flt.errors import check_choice
from flt.federation import Attack, Round
from flt.functional.attacks.tailored.cosine import COSINES, Leaning, check_cosines, cosine_attack


class CosineAttack(Attack):
    """Malicious clients, who know rule and root update, send something at the angle to the latter that does most harm.

    They are as long as the root update, and lean away from it to a side that the mean of the benign updates does not
    go to.

    Args:
        perturbation: The side: against the sign of that mean ("sign"), or along the standard deviation of the benign
            updates, both ways ("std").
        cosines: Cosines of the angle that are tried, each above 0 and at most 1; the rule is asked once for each, with
            perturbation=std twice.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        Published attacks on cosines (CSA, Sine) give no formula that could be found; this one maximises the distance of
        the aggregate from the mean of the benign updates, as other attacks that ask the rule do. The server trains on
        its root dataset even where the rule does not need it. Under partial knowledge the malicious clients' own
        honest updates, repeated, take the places of the benign ones where the rule is asked.
    """

    uses_knowledge = True
    needs_root_update = True

    def __init__(self, perturbation: Leaning = "sign", cosines: tuple[float, ...] = COSINES, **settings: Any) -> None:
        super().__init__(**settings)
        check_choice("attack.perturbation", perturbation, Leaning)
        check_cosines(cosines, "attack.cosines")
        self.perturbation, self.cosines = perturbation, cosines

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.tailored.cosine`."""
        return cosine_attack(
            round.updates,
            round.malicious,
            round.require_root_update(),
            round.rule,
            knowledge=self.knowledge,
            perturbation=self.perturbation,
            cosines=self.cosines,
        )
