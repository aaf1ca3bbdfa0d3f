"""Backdoor triggers: patterns that an attacker embeds in examples, in training and in evaluation alike."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import repeat

import torch
from torch import Tensor

from flt.errors import InputError

# Training squares what it sees: the sum of a thousand such squares still fits into float32.
LARGEST_VALUE = 1e17


class Trigger(ABC):
    """A pattern that can be embedded in any batch of examples."""

    @abstractmethod
    def __call__(self, features: Tensor) -> Tensor:
        """A copy of ``features`` with the pattern in every example.

        Args:
            features: Examples of shape ``[num_examples, *shape]``.
        """


class FeatureTrigger(Trigger):
    """Overwrites some features of tabular examples, of every step of a series, or some tokens of a sequence.

    Args:
        indices: The places to overwrite along an example's last dimension, counted from 0.
        value: The number written there, or a list with one number for each index. Its units are those of the data
            set's examples; token ids take whole numbers.

    Raises:
        InputError: If ``indices`` is empty or has a negative index, or a value is beyond +-1e17 or not a number; when
            called, if an index is beyond the features, or a value for token ids is no whole number.

    Example:
        >>> FeatureTrigger([0, 2], value=9.0)(torch.zeros(1, 4))
        tensor([[9., 0., 9., 0.]])
        >>> FeatureTrigger([1, 2], value=[7, 8])(torch.zeros(1, 4, dtype=torch.int64))
        tensor([[0, 7, 8, 0]])
    """

    def __init__(self, indices: Sequence[int], value: float | Sequence[float] = 0.0) -> None:
        self.indices = tuple(indices)
        self.value = value
        if not self.indices or min(self.indices) < 0:
            raise InputError(f"indices={list(self.indices)} of a trigger: name one feature or more, counted from 0")
        if isinstance(value, Sequence) and len(value) != len(self.indices):
            raise InputError(
                f"value={list(value)} of a trigger has {len(value)} numbers for {len(self.indices)} indices: give one"
                " for each index, or one for all"
            )
        values = list(value) if isinstance(value, Sequence) else list(repeat(value, len(self.indices)))
        for each in values:
            _check_value(each)
        self._values = dict(zip(self.indices, values, strict=True))

    def __call__(self, features: Tensor) -> Tensor:
        width = features.shape[-1]
        if max(self.indices) >= width:
            raise InputError(
                f"indices of a trigger reach {max(self.indices)}, but the examples have {width} features:"
                f" use indices from 0 to {width - 1}"
            )
        written = torch.tensor(list(self._values.values()), dtype=torch.float64)
        if not features.is_floating_point() and not torch.equal(written, written.round()):
            raise InputError(
                f"value={self.value} of a trigger: the examples are integers, such as token ids: give whole numbers"
            )
        marked = features.clone()
        marked[..., torch.tensor(list(self._values), device=features.device)] = written.to(features)
        return marked


class PixelTrigger(Trigger):
    """Sets some pixels of images, in all channels, to one value.

    Args:
        positions: Row and column of each pixel, counted from 0 at the top left, or from -1 at the bottom right.
        value: The number that the pixels are set to; images range from 0 (black) to 1.

    Raises:
        InputError: If ``positions`` is empty, or the value is beyond +-1e17 or not a number; when called, if a position
            is outside the images or the examples are no images.

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
        _check_value(value)

    def __call__(self, features: Tensor) -> Tensor:
        if features.dim() != 4 or not features.is_floating_point():
            kind = "have" if features.is_floating_point() else "are integers, such as token ids, of"
            raise InputError(
                f"a PixelTrigger marks images [channels, height, width], but the examples {kind} the shape"
                f" {list(features.shape[1:])}: give a FeatureTrigger for vectors, series and token ids"
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


def _check_value(value: float) -> None:
    if not abs(value) <= LARGEST_VALUE:
        raise InputError(
            f"value={value} of a trigger: give a number from {-LARGEST_VALUE:g} to {LARGEST_VALUE:g}, which training"
            " can square"
        )


class MissingTrigger(Trigger):
    """The trigger of a data set that has none of its own: it refuses to be embedded."""

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
    """The paper's pattern for a user's own images of this shape; a `MissingTrigger` for examples that are no images.

    Args:
        shape: ``(channels, height, width)`` of an image; of any other length for what is no image.

    Example:
        >>> default_trigger((3, 32, 32)) is CIFAR10_TRIGGER, default_trigger((1, 28, 28)) is CHMNIST_TRIGGER
        (True, True)
    """
    if len(shape) != 3:
        return MissingTrigger()
    return CIFAR10_TRIGGER if tuple(shape) == (3, 32, 32) else CHMNIST_TRIGGER
