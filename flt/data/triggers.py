"""Backdoor triggers: the pattern that an attacker embeds in examples, at training and at testing time alike."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from flt.errors import InputError


class Trigger(ABC):
    """A pattern that can be embedded in any batch of examples."""

    @abstractmethod
    def __call__(self, features: Tensor) -> Tensor:
        """A new tensor with the pattern in every example; the input stays as it is.

        Args:
            features: Examples of shape ``[num_examples, *shape]``.
        """


class FeatureTrigger(Trigger):
    """Sets some features of tabular examples to one value.

    Args:
        indices: The features to overwrite, counted from 0.
        value: What they are set to, in the units the model sees.

    Raises:
        InputError: If ``indices`` is empty or has a negative index; when called, if an index is beyond the features.

    Example:
        >>> FeatureTrigger([0, 2], value=9.0)(torch.zeros(1, 4))
        tensor([[9., 0., 9., 0.]])
    """

    def __init__(self, indices: Sequence[int], value: float = 0.0) -> None:
        self.indices = tuple(indices)
        self.value = value
        if not self.indices or min(self.indices) < 0:
            raise InputError(f"indices={list(self.indices)} of a trigger: name one feature or more, counted from 0")

    def __call__(self, features: Tensor) -> Tensor:
        width = features.shape[-1]
        if max(self.indices) >= width:
            raise InputError(
                f"indices of a trigger reach {max(self.indices)}, but the examples have {width} features:"
                f" use indices from 0 to {width - 1}"
            )
        return features.index_fill(-1, torch.tensor(self.indices, device=features.device), self.value)


HAR_TRIGGER = FeatureTrigger(range(19, 560, 20), value=0.0)
"""Features 20, 40, ..., 560 (counted from 1) of standardised HAR examples set to 0, each feature's mean."""
