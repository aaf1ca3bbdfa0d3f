"""Min-Max as a callback."""

from typing import Any

from torch import Tensor

from callbacks.attacks.omniscient.hidden import GAMMA_INIT, check_hidden
from callbacks.attacks.omniscient.known import warn_of_one_known
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.omniscient.min_max import min_max
from flt.functional.attacks.omniscient.spread import Perturbation, Search


class MinMax(Attack):
    """Malicious clients go as far off the mean of the benign updates as those are apart from each other.

    Args:
        perturbation: Where to: along the standard deviation in each coordinate ("std", or "minus_std"), against the
            sign of the mean ("sign"), or against the mean itself ("unit").
        search: "closed" is the exact optimum, "bisection" the authors' search for it.
        gamma_init: The first step that the bisection tries, in lengths of the perturbation; it never gets beyond twice
            that.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        "std" is the paper's, minus the deviation of gradients, which is plus that of updates; "minus_std" goes to the
        other side, as some code does. The bisection moves by the full step, as the authors' notebooks do: the
        algorithm as printed may run forever. FLTrust takes "unit" for the mean or drops it while the mean is at less
        than a right angle to the root update; beyond that it trusts "unit" where it is the opposite of the mean.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021.
    """

    uses_knowledge = True

    def __init__(
        self,
        perturbation: Perturbation = "std",
        search: Search = "closed",
        gamma_init: float = GAMMA_INIT,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_hidden(perturbation, search, gamma_init)
        self.perturbation, self.search, self.gamma_init = perturbation, search, gamma_init

    def check(self, federation: Federation) -> None:
        """Warns where too little is known."""
        warn_of_one_known(self, federation)

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.omniscient.min_max`."""
        return min_max(
            round.updates,
            round.malicious,
            knowledge=self.knowledge,
            perturbation=self.perturbation,
            search=self.search,
            gamma_init=self.gamma_init,
        )
