"""The best of the vectors of a plane that have one length: a search over one angle."""

from collections.abc import Callable

import torch
from torch import Tensor

NUM_ANGLES = 1001  # of a pass; each next one looks between the neighbours of the best angle so far


def best_angle(values: Callable[[Tensor], Tensor], low: float, high: float) -> float:
    """The angle between two others at which a function is largest.

    It may have several humps as long as the widest of a degree or two: a fine grid finds the right one, three further
    ones zoom in.

    Args:
        values: The function of angles in radians, float64 of shape ``[num_angles]``.
        low: The least angle.
        high: The largest one.

    Example:
        >>> round(best_angle(torch.sin, 0.0, 3.0), 6)
        1.570796
    """
    left, right, best = low, high, 0.0
    for _ in range(4):
        angles = torch.linspace(left, right, NUM_ANGLES, dtype=torch.float64)
        best = float(angles[values(angles).argmax()])
        width = (right - left) / (NUM_ANGLES - 1)
        left, right = max(best - width, low), min(best + width, high)
    return best
