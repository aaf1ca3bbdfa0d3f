"""The trigger of single pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from flt.data.triggers.base import Trigger, check_value, share_out
from flt.errors import InputError


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
        check_value(value)

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

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Its pixels in their order, neighbours together."""
        shares = share_out(len(self.positions), num_parts, "pixels")
        return tuple(PixelTrigger(self.positions[share], self.value) for share in shares)
