"""Sybils with noise that cancels out as a callback."""

from typing import Any

from torch import Tensor

from callbacks.attacks.label_flipping import LabelFlippingAttack
from flt.data.examples import ClientData
from flt.errors import check_positive
from flt.federation import Attack, Federation, Round
from flt.functional.attacks.blind.sybil_noise import sybil_noise


class SybilNoise(Attack):
    """Malicious clients train on flipped labels, and hide how alike they are behind noise that cancels out in pairs.

    Args:
        scale: Length of the noise in lengths of an update.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Fung, Yoon, Beschastnikh, The Limitations of Federated Learning in Sybil Settings, RAID 2020, section on
        intelligent perturbations.

    Reading:
        Directions are drawn anew each round and are orthogonal to one another; noise is as long as the updates
        themselves, so that two equal ones leave as orthogonal ones.
    """

    def __init__(self, scale: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        check_positive("attack.scale", scale)
        self.scale = scale

    def poison(self, federation: Federation) -> ClientData:
        """Flips the labels of the malicious clients."""
        return LabelFlippingAttack(self.fraction).poison(federation)

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.attacks.blind.sybil_noise`."""
        return sybil_noise(round.updates, round.malicious, scale=self.scale, generator=round.generator("SybilNoise"))
