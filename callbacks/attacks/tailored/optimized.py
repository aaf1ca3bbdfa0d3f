"""ALIE and IPM against the rule in force, as callbacks."""

from typing import Any

from torch import Tensor

from callbacks.attacks.omniscient.shift import check_ddof
from flt.errors import check_choice
from flt.federation import Attack, Round
from flt.functional.attacks.tailored.line_search import Kind, LineSearch
from flt.functional.attacks.tailored.optimized import Signs, optimized_alie, optimized_ipm


class OptimizedALIE(Attack):
    """Malicious clients, who know the rule, shift the mean of the benign updates by as much as does most harm to it.

    What they send is ALIE's, ``mean - z deviation``, with the z that takes the aggregate furthest from that mean.

    Args:
        sign: Whether the shift is taken from the mean ("minus") or added to it ("plus"); "both" asks the rule twice as
            often and takes the worse one.
        ddof: What is taken from the number of updates in the variance's divisor, 0 or 1.
        search: How z is searched for: "two_sided" around the best one so far, or as "byzfl" does, upwards only.
        evaluations: How often the rule is asked in a round, for each sign; null is 16, of "byzfl" 20.
        delta: First step of the search; null is 1, of "byzfl" 10.
        ratio: By what each step is shorter than the one before once the harm no longer grows, between 0 and 1.
        cap: Largest z that is tried.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        The rule is asked as it is in force, with what is around it. Under partial knowledge the malicious clients' own
        honest updates, repeated, take the places of the benign ones where it is asked. An improvement below a millionth
        counts as rounding.

    Reference:
        Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023; Baruch,
        Baruch and Goldberg, A Little Is Enough: Circumventing Defenses For Distributed Learning, NeurIPS 2019.
    """

    uses_knowledge = True

    def __init__(
        self,
        sign: Signs = "both",
        ddof: int = 0,
        search: Kind = "two_sided",
        evaluations: int | None = None,
        delta: float | None = None,
        ratio: float = 0.8,
        cap: float = 1e3,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_choice("attack.sign", sign, Signs)
        check_ddof(ddof)
        self.search = LineSearch(search, evaluations, delta, ratio, cap)
        self.search.check("attack.")
        self.sign, self.ddof = sign, ddof

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.tailored.optimized`."""
        return optimized_alie(
            round.updates,
            round.malicious,
            round.rule,
            knowledge=self.knowledge,
            sign=self.sign,
            ddof=self.ddof,
            search=self.search,
        )


class OptimizedIPM(Attack):
    """Malicious clients, who know the rule, turn the mean of the benign updates around, as long as harms it most.

    What they send is IPM's, ``-epsilon mean``, with the epsilon that takes the aggregate furthest from that mean.

    Args:
        search: How epsilon is searched for: "two_sided" around the best one so far, or as "byzfl" does, upwards only.
        evaluations: How often the rule is asked in a round; null is 16, of "byzfl" 20.
        delta: First step of the search; null is 1, of "byzfl" 10.
        ratio: By what each step is shorter than the one before once the harm no longer grows, between 0 and 1.
        cap: Largest epsilon that is tried.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        As that of OptimizedALIE.

    Reference:
        Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023; Xie,
        Koyejo and Gupta, Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product Manipulation, UAI 2019.
    """

    uses_knowledge = True

    def __init__(
        self,
        search: Kind = "two_sided",
        evaluations: int | None = None,
        delta: float | None = None,
        ratio: float = 0.8,
        cap: float = 1e3,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.search = LineSearch(search, evaluations, delta, ratio, cap)
        self.search.check("attack.")

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.tailored.optimized`."""
        return optimized_ipm(round.updates, round.malicious, round.rule, knowledge=self.knowledge, search=self.search)
