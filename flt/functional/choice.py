"""Choosing some of the rows: how many, the smallest by a score, and what each counts in the mean of those chosen."""

import math

import torch
from torch import Tensor

from flt.errors import InputError


def check_some(updates: Tensor) -> None:
    """Raises an `InputError` if there is no update of which an aggregate could be made.

    Example:
        >>> check_some(torch.ones(1, 3))
    """
    if not len(updates):
        raise InputError(f"updates of shape {list(updates.shape)}: there is no aggregate of none, give one or more")


def whole_part(share: float, count: int) -> int:
    """How many of ``count`` things a share of them is, rounded down: ``floor(share count)``.

    A product that rounding has left a little below a whole number is that number.

    Example:
        >>> whole_part(0.29, 100), int(0.29 * 100)
        (29, 28)
    """
    return math.floor(share * count + 1e-9)


def smallest(scores: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` smallest scores in ascending order; of equal ones those with lower index.

    Example:
        >>> smallest(torch.tensor([2.0, 1.0, 5.0, 1.0]), 3)
        tensor([1, 3, 0])
    """
    return scores.sort(stable=True).indices[:count]


def equal_shares(chosen: Tensor, num_rows: int) -> Tensor:
    """Weights of the mean of the ``chosen`` rows, float64, shape ``[num_rows]``.

    Args:
        chosen: Their indices, each once.
        num_rows: Rows that there are.

    Example:
        >>> equal_shares(torch.tensor([3, 0]), 4)
        tensor([0.5000, 0.0000, 0.0000, 0.5000], dtype=torch.float64)
    """
    shares = torch.zeros(num_rows, dtype=torch.float64, device=chosen.device)
    return shares.index_fill_(0, chosen, 1.0 / max(1, len(chosen)))
