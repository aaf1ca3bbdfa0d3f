"""PoisonedFL as a callback."""

from typing import Any

from callbacks.attacks.blind.untrained import untrained
from flt.errors import InputError, check_count, check_positive
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.blind.poisoned_fl import poisoned_fl


class PoisonedFL(Attack):
    """Malicious clients who know the global models alone push them along the same random signs in every round.

    Args:
        scale: How many times as long as the last step of the global model they send at first (c).
        period: Rounds after which they look whether the model has moved along the signs.
        shrink: Factor of c where it has not.
        least_scale: What c never falls below.
        confidence: Probability with which a model that moves at random has not moved along the signs.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Xie, Fang, Gong, Model Poisoning Attacks to Federated Learning via Multi-Round Consistency, CVPR 2025.

    Reading:
        The quantile of the test is computed for any network; it is the authors' number for their four. Before
        anything has been sent there is no test. A server that shortens updates changes nothing: of what was sent last
        the direction alone is used.
    """

    works_alone = True

    def __init__(
        self,
        scale: float = 8.0,
        period: int = 50,
        shrink: float = 0.7,
        least_scale: float = 0.5,
        confidence: float = 0.99,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_positive("attack.scale", scale)
        check_positive("attack.least_scale", least_scale)
        check_count("attack.period", period)
        for name, value in {"shrink": shrink, "confidence": confidence}.items():
            if not 0 < value < 1:
                raise InputError(f"attack.{name}={value} must be above 0 and less than 1")
        self.scale, self.least_scale = scale, least_scale
        self.period, self.shrink, self.confidence = period, shrink, confidence

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The signs, two global models, and what was sent last."""
        return 4 * num_params

    def craft(self, round: Round) -> Round:
        """Applies `flt.functional.attacks.blind.poisoned_fl`."""
        updates, memory = poisoned_fl(
            round.updates,
            round.malicious,
            round.parameters,
            round.memory or None,
            scale=self.scale,
            period=self.period,
            shrink=self.shrink,
            least_scale=self.least_scale,
            confidence=self.confidence,
            generator=round.generator("PoisonedFL"),
        )
        return untrained(round).replace(updates=updates, memory=memory)
