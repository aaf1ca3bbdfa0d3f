"""The Trim attack as a callback."""

from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import check_positive
from flt.federation import Attack, Round
from flt.functional import trim_attack


class TrimAttack(Attack):
    """Malicious clients send values just beyond the benign ones, on the wrong side of every coordinate.

    Args:
        fraction: Fraction of the clients that are malicious.
        stretch: How far beyond the benign values full knowledge reaches, as a factor greater than 1 (b).

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Fang et al., Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security 2020.
    """

    uses_knowledge = True

    def __init__(self, fraction: float = 0.2, stretch: float = 2.0, **settings: Any) -> None:
        super().__init__(fraction, **settings)
        check_positive("attack.stretch", stretch, above=1)
        if self.knowledge == "partial" and stretch != 2.0:
            rank_zero_warn(f"attack.stretch={stretch} has no effect with knowledge=partial")
        self.stretch = stretch

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.trim`."""
        return trim_attack(
            round.updates,
            round.malicious,
            knowledge=self.knowledge,
            stretch=self.stretch,
            generator=round.generator("trim attack"),
        )
