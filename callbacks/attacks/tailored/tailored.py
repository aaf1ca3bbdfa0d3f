"""The attack tailored to the rule in force, as a callback."""

from typing import Any

from torch import Tensor

from flt.errors import check_choice, check_count, check_positive
from flt.federation import Attack, Round
from flt.functional.attacks.omniscient.spread import Perturbation
from flt.functional.attacks.tailored.tailored import Objective, tailored_attack


class TailoredAttack(Attack):
    """Malicious clients, who know the rule, go as far off the mean of the benign updates as harms it most.

    Against a rule that picks one client's update, as Krum does, it is as far as one of theirs is still picked; against
    any other as far as takes the aggregate furthest from that mean.

    Args:
        perturbation: Where to: along the standard deviation in each coordinate ("std", or "minus_std"), against the
            sign of the mean ("sign"), or against the mean itself ("unit").
        objective: "auto" finds out which kind of rule it is, "deviation" takes the aggregate off the mean in any case.
        gamma_init: How far the search starts, in lengths of the perturbation; null is half of what Min-Max allows. A
            malicious update to be picked never gets beyond twice, another not beyond a thousand times as far.
        evaluations: How often the rule is asked in a round; once more with objective=auto.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        The rule is asked as it is in force, with what is around it. What it made the aggregate of is not told to
        clients: that it picks one update shows, that it averages several (equation 4, for Multi-Krum) does not, and
        equation 2 is used. Where so many copies support each other that Krum picks them however far they go
        (``m - 1 >= n - m - 2``), the end is that of Min-Max. Under partial knowledge the malicious clients' own honest
        updates, repeated, take the places of the benign ones where the rule is asked. FLTrust takes "unit" for the mean
        or drops it while the mean is at less than a right angle to the root update.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021.
    """

    uses_knowledge = True

    def __init__(
        self,
        perturbation: Perturbation = "std",
        objective: Objective = "auto",
        gamma_init: float | None = None,
        evaluations: int = 20,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_choice("attack.perturbation", perturbation, Perturbation)
        check_choice("attack.objective", objective, Objective)
        check_count("attack.evaluations", evaluations)
        if gamma_init is not None:
            check_positive("attack.gamma_init", gamma_init)
        self.perturbation, self.objective = perturbation, objective
        self.gamma_init, self.evaluations = gamma_init, evaluations

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.tailored.tailored`."""
        return tailored_attack(
            round.updates,
            round.malicious,
            round.rule,
            knowledge=self.knowledge,
            perturbation=self.perturbation,
            objective=self.objective,
            gamma_init=self.gamma_init,
            evaluations=self.evaluations,
        )
