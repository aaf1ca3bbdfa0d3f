"""Noise in place of updates as callbacks."""

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor

from flt.errors import LARGEST, InputError, check_choice, check_not_negative
from flt.federation import Attack, Round
from flt.functional.attacks.blind.noise import Placement, gaussian_noise, uniform_noise


class Noise(Attack, ABC):
    """Base class of the attacks that send noise.

    Args:
        placement: Whether noise takes the place of the update ("replace") or is added to it ("add").
        mean: Mean of the noise.
        scale: Standard deviation of normal noise; largest distance from the mean of uniform noise.
        relative: Whether mean and scale are in units of the root mean square of the entries of the malicious clients'
            mean honest update, so that normal noise of scale 1 is as long as that. Without, 1 is much more for one
            network than for another.
        shared: Whether all malicious clients send the same noise.

    Raises:
        InputError: If an argument is out of range.
    """

    function: ClassVar[Callable[..., Tensor]]

    works_alone = True

    def __init__(
        self,
        placement: Placement = "replace",
        mean: float = 0.0,
        scale: float = 1.0,
        relative: bool = False,
        shared: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_choice("attack.placement", placement, Placement)
        check_not_negative("attack.scale", scale)
        if not -LARGEST <= mean <= LARGEST:
            raise InputError(f"attack.mean={mean} must be a finite number, at most {LARGEST:.1e} from 0")
        if mean == 0 and scale == 0:
            raise InputError(
                "attack.scale=0.0 and attack.mean=0.0 leave no noise: give one of them, or take ZeroUpdate"
            )
        self.placement: Placement = placement
        self.mean, self.scale = mean, scale
        self.relative, self.shared = relative, shared
        self.draws_by_row = not shared

    def craft(self, round: Round) -> Tensor:
        """Applies a function of `flt.functional.attacks.blind.noise`."""
        return type(self).function(
            round.updates,
            round.malicious,
            placement=self.placement,
            mean=self.mean,
            scale=self.scale,
            relative=self.relative,
            shared=self.shared,
            generator=round.generator(type(self).__name__),
        )


class GaussianNoise(Noise):
    """Malicious clients send normal noise, or add it to what they have learnt.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NIPS 2017.

    Reading:
        The paper's standard deviation of 200 is one of gradients; of updates it is 200 times the client's
        learning rate. The default, 1, is that of today's libraries.
    """

    function = staticmethod(gaussian_noise)


class UniformNoise(Noise):
    """Malicious clients send uniform noise, or add it to what they have learnt."""

    function = staticmethod(uniform_noise)
