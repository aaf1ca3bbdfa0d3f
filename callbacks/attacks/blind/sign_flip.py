"""Sign flips as a callback."""

from typing import Any

from torch import Tensor

from flt.errors import check_choice, check_positive
from flt.federation import Attack, LocalUpdates, LocalWork, Round
from flt.functional.attacks.blind.sign_flip import Variant, sign_flip


class SignFlip(Attack):
    """Malicious clients send the opposite of what they have learnt, or of what the others have.

    Args:
        variant: What is turned around: each malicious client's "own" update, the "mean" of the updates that
            ``knowledge`` lets them know, or each gradient of a malicious client's local training ("ascent").
        scale: How much longer the turned update is (s).

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Li et al., RSA: Byzantine-Robust Stochastic Aggregation Methods, AAAI 2019 (own); Allen-Zhu et al.,
        Byzantine-Resilient Non-Convex Stochastic Gradient Descent, ICLR 2021 (mean).

    Reading:
        The name stands for all three in the literature; "own", which takes no knowledge, is the default. "ascent" turns
        the gradient of the loss alone, and weight decay and the proximal term hold as ever: with one local step, and
        without model.client_weight_decay, it is the same as "own".
    """

    def __init__(self, variant: Variant = "own", scale: float = 1.0, **settings: Any) -> None:
        check_choice("attack.variant", variant, Variant)
        check_positive("attack.scale", scale)
        self.uses_knowledge = variant == "mean"
        super().__init__(**settings)
        self.variant: Variant = variant
        self.scale = scale

    @property
    def works_alone(self) -> bool:
        """Whether a malicious client needs to know nothing of others: all but the mean of their updates."""
        return self.variant != "mean"

    def overrides(self, name: str) -> bool:
        """Whether it has a hook of its own; "ascent" alone trains in its own way."""
        is_idle = type(self).train is SignFlip.train and self.variant != "ascent"
        return super().overrides(name) and not (name == "train" and is_idle)

    def train(self, local: LocalWork) -> LocalUpdates | None:
        """Climbs the loss, for the variant that does."""
        return local.sgd(local.batches, lr=-local.client_lr) if self.variant == "ascent" else None

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.sign_flip`."""
        return sign_flip(
            round.updates, round.malicious, variant=self.variant, scale=self.scale, knowledge=self.knowledge
        )
