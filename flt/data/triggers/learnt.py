"""A trigger whose values are learnt."""

import torch
from torch import Tensor

from flt.data.triggers.base import Trigger
from flt.errors import InputError


class LearntTrigger(Trigger):
    """Writes values into some places of every example.

    Args:
        mask: Where, boolean of the shape of an example.
        values: What is written there, of the same shape; values elsewhere do not matter.

    Example:
        >>> LearntTrigger(torch.tensor([True, False]), torch.tensor([5.0, 7.0]))(torch.zeros(1, 2))
        tensor([[5., 0.]])
    """

    def __init__(self, mask: Tensor, values: Tensor) -> None:
        self.mask = mask
        self.values = values

    def __call__(self, features: Tensor) -> Tensor:
        return torch.where(self.mask.to(features.device), self.values.to(features), features)

    @classmethod
    def at_the_places_of(cls, trigger: Trigger, example: Tensor) -> "LearntTrigger":
        """What a trigger writes into every example alike, and where.

        Args:
            trigger: A trigger that overwrites some places.
            example: Any example, floating point.

        Raises:
            InputError: If the trigger overwrites nothing, or the examples are token ids.

        Example:
            >>> from flt.data.triggers import FeatureTrigger
            >>> LearntTrigger.at_the_places_of(FeatureTrigger([1], 3.0), torch.zeros(2)).mask
            tensor([False,  True])
        """
        if not example.is_floating_point():
            raise InputError("the values of a trigger for token ids cannot be learnt: they are no numbers to add to")
        one, other = trigger(torch.stack([torch.zeros_like(example), torch.ones_like(example)]))
        mask = one == other
        if not mask.any():
            raise InputError(
                f"attack.trigger={type(trigger).__name__} overwrites nothing whose values could be learnt: give a"
                " PixelTrigger or a FeatureTrigger"
            )
        return cls(mask, one)
