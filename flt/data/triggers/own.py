"""The triggers that data sets have of their own."""

from collections.abc import Sequence

from torch import Tensor

from flt.data.triggers.base import Trigger
from flt.data.triggers.features import FeatureTrigger
from flt.data.triggers.pixels import PixelTrigger
from flt.errors import InputError


class MissingTrigger(Trigger):
    """The trigger of a data set that has none of its own: it refuses to be embedded."""

    def __call__(self, features: Tensor) -> Tensor:
        raise InputError(
            "this data set has no backdoor trigger of its own: give the attack one, such as --attack.trigger"
            " FeatureTrigger --attack.trigger.indices [0,1]"
        )

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Itself: each part says what is missing."""
        return (self,) * num_parts


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

DBA_MNIST_TRIGGER = PixelTrigger([(row, start + step) for row in (0, 3) for start in (0, 6) for step in range(4)])
"""DBA's four bars of four white pixels at the top left of 28x28 images, bar by bar."""

DBA_CIFAR10_TRIGGER = PixelTrigger([(row, start + step) for row in (0, 4) for start in (0, 9) for step in range(6)])
"""DBA's four bars of six white pixels at the top left of 32x32 images, bar by bar."""


def distributed_trigger(shape: Sequence[int], own: Trigger) -> Trigger:
    """The pattern of DBA's authors for images of this shape; that of the data set for all other examples.

    Args:
        shape: Shape of an example.
        own: The data set's own trigger.

    Example:
        >>> distributed_trigger((1, 28, 28), HAR_TRIGGER) is DBA_MNIST_TRIGGER
        True
    """
    if len(shape) != 3:
        return own
    return {(28, 28): DBA_MNIST_TRIGGER, (32, 32): DBA_CIFAR10_TRIGGER}.get((shape[1], shape[2]), own)


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
