"""Min-Sum as a callback."""

from typing import Any

from torch import Tensor

from callbacks.attacks.omniscient.hidden import GAMMA_INIT, check_hidden
from callbacks.attacks.omniscient.known import warn_of_one_known
from flt.errors import check_choice
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.omniscient.min_sum import Bound, min_sum
from flt.functional.attacks.omniscient.spread import Perturbation, Search


class MinSum(Attack):
    """Malicious clients go as far off the mean of the benign updates as the sum of squared distances of one of them.

    Args:
        perturbation: Where to: along the standard deviation in each coordinate ("std", or "minus_std"), against the
            sign of the mean ("sign"), or against the mean itself ("unit").
        bound: Whose sum of squared distances from the others bounds theirs: the largest ("max") or the smallest
            ("min").
        search: "closed" is the exact optimum, "bisection" the authors' search for it.
        gamma_init: The first step that the bisection tries, in lengths of the perturbation; it never gets beyond twice
            that.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        "max" is the paper's, "min" its authors' code. "std" is the paper's, minus the deviation of gradients, which is
        plus that of updates; "minus_std" goes to the other side. FLTrust takes "unit" for the mean or drops it while
        the mean is at less than a right angle to the root update.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021.
    """

    uses_knowledge = True

    def __init__(
        self,
        perturbation: Perturbation = "std",
        bound: Bound = "max",
        search: Search = "closed",
        gamma_init: float = GAMMA_INIT,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_hidden(perturbation, search, gamma_init)
        check_choice("attack.bound", bound, Bound)
        self.perturbation, self.bound, self.search, self.gamma_init = perturbation, bound, search, gamma_init

    def check(self, federation: Federation) -> None:
        """Warns where too little is known."""
        warn_of_one_known(self, federation)

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.omniscient.min_sum`."""
        return min_sum(
            round.updates,
            round.malicious,
            knowledge=self.knowledge,
            perturbation=self.perturbation,
            bound=self.bound,
            search=self.search,
            gamma_init=self.gamma_init,
        )
