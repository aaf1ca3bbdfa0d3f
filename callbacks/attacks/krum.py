"""The Krum attack as a callback."""

from typing import Any

from torch import Tensor

from flt.errors import LARGEST, InputError
from flt.federation import Attack, Round
from flt.functional import krum_attack


class KrumAttack(Attack):
    """Malicious clients step against the direction of learning as far as Krum will still pick one of them.

    Args:
        fraction: Fraction of the clients that are malicious.
        epsilon: Largest distance of the other malicious updates from the first.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Fang et al., Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security 2020.
    """

    uses_knowledge = True

    def __init__(self, fraction: float = 0.2, epsilon: float = 0.01, **settings: Any) -> None:
        super().__init__(fraction, **settings)
        if not 0 <= epsilon <= LARGEST:
            raise InputError(f"attack.epsilon={epsilon} must be a finite number, 0 or more, at most {LARGEST:.1e}")
        self.epsilon = epsilon

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.krum`."""
        return krum_attack(
            round.updates,
            round.malicious,
            knowledge=self.knowledge,
            epsilon=self.epsilon,
            generator=round.generator("krum attack"),
        )
