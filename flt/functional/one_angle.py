"""The best of the vectors of a plane that have one length: a search over one angle."""

from collections.abc import Callable

import torch
from torch import Tensor

NUM_ANGLES = 1001  # of a pass; each next one looks between the neighbours of the best angle so far


def best_angle(values: Callable[[Tensor], Tensor], low: float, high: float, *, passes: int = 4) -> float:
    """The angle between two others at which a function is largest.

    It may have several humps: a fine grid finds the highest, and further ones zoom in.

    Args:
        values: The function of angles in radians, float64 of shape ``[num_angles]``.
        low: The least angle.
        high: The largest one.
        passes: Grids, each of which knows the angle 500 times as well as the one before.

    Example:
        >>> round(best_angle(torch.sin, 0.0, 3.0), 6)
        1.570796
    """
    left, right, best = low, high, 0.0
    for _ in range(passes):
        angles = torch.linspace(left, right, NUM_ANGLES, dtype=torch.float64)
        best = float(angles[values(angles).argmax()])
        width = (right - left) / (NUM_ANGLES - 1)
        left, right = max(best - width, low), min(best + width, high)
    return best
