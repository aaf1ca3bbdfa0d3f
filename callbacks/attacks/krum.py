"""The Krum attack as a callback."""

from torch import Tensor

from flt.errors import LARGEST, InputError, check_choice
from flt.federation import Attack, Round
from flt.functional import krum_attack
from flt.functional.attacks.knowledge import Knowledge


class KrumAttack(Attack):
    """Malicious clients step against the direction of learning as far as Krum will still pick one of them.

    Args:
        fraction: Fraction of the clients that are malicious.
        knowledge: Whether the attacker knows all updates ("full") or only its own ("partial").
        epsilon: Largest distance of the other malicious updates from the first.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Fang et al., Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security 2020.
    """

    def __init__(self, fraction: float = 0.2, knowledge: Knowledge = "full", epsilon: float = 0.01) -> None:
        super().__init__(fraction)
        check_choice("attack.knowledge", knowledge, Knowledge)
        if not 0 <= epsilon <= LARGEST:
            raise InputError(f"attack.epsilon={epsilon} must be a finite number, 0 or more, at most {LARGEST:.1e}")
        self.knowledge: Knowledge = knowledge
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
