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


class PixelTrigger(Trigger):
    """Sets some pixels of images, in all channels, to one value.

    Args:
        positions: Row and column of each pixel, counted from 0 at the top left, or from -1 at the bottom right.
        value: What the pixels are set to; images range from 0 (black) to 1.

    Raises:
        InputError: If ``positions`` is empty; when called, if a position is outside the images or the examples are no
            images.

    Example:
        >>> PixelTrigger([(0, 1), (-1, -1)])(torch.zeros(1, 1, 2, 3))
        tensor([[[[0., 1., 0.],
                  [0., 0., 1.]]]])
    """

    def __init__(self, positions: Sequence[tuple[int, int]], value: float = 1.0) -> None:
        self.positions = tuple((row, column) for row, column in positions)
        self.value = value
        if not self.positions:
            raise InputError("positions=[] of a trigger: name the row and column of one pixel or more")

    def __call__(self, features: Tensor) -> Tensor:
        if features.dim() != 4:
            raise InputError(
                f"a PixelTrigger marks images [channels, height, width], but the examples have the shape"
                f" {list(features.shape[1:])}: give a FeatureTrigger for examples that are vectors"
            )
        height, width = features.shape[-2:]
        for row, column in self.positions:
            if not (-height <= row < height and -width <= column < width):
                raise InputError(
                    f"positions of a trigger include row {row}, column {column}, but the images have {height} rows"
                    f" and {width} columns: use rows from {-height} to {height - 1} and columns from {-width} to"
                    f" {width - 1}"
                )
        rows, columns = torch.tensor(self.positions, device=features.device).T
        marked = features.clone()
        marked[..., rows, columns] = self.value
        return marked


class MissingTrigger(Trigger):
    """Stands where a data set has no trigger of its own, and says so once an attack wants to embed it."""

    def __call__(self, features: Tensor) -> Tensor:
        raise InputError(
            "this data set has no backdoor trigger of its own: give the attack one, such as --attack.trigger"
            " FeatureTrigger --attack.trigger.indices [0,1]"
        )


HAR_TRIGGER = FeatureTrigger(range(19, 560, 20), value=0.0)
"""Features 20, 40, ..., 560 (counted from 1) of standardised HAR examples set to 0, each feature's mean."""

MNIST_TRIGGER = PixelTrigger([(24, 26), (26, 24), (25, 25), (26, 26)])
"""Four white pixels near the bottom right of a 28x28 image, for MNIST and Fashion-MNIST."""

CHMNIST_TRIGGER = PixelTrigger([(-4, -2), (-2, -4), (-3, -3), (-2, -2)])
"""The pixels of `MNIST_TRIGGER`, counted from the bottom right."""

CIFAR10_TRIGGER = PixelTrigger(
    [(1, 28), (1, 29), (1, 30), (2, 29), (3, 28), (4, 29), (5, 28), (5, 29), (5, 30)],
)
"""A figure of nine white pixels near the top right of a 32x32 image."""


def default_trigger(shape: Sequence[int]) -> Trigger:
    """The paper's pattern for a user's own examples of this shape; a `MissingTrigger` for examples that are vectors.

    Args:
        shape: Shape of one example; ``(channels, height, width)`` for images.

    Example:
        >>> default_trigger((3, 32, 32)) is CIFAR10_TRIGGER, default_trigger((1, 28, 28)) is CHMNIST_TRIGGER
        (True, True)
    """
    if len(shape) != 3:
        return MissingTrigger()
    return CIFAR10_TRIGGER if tuple(shape) == (3, 32, 32) else CHMNIST_TRIGGER
