"""Centred clipping: updates are shortened to a sphere around what the last round made."""

from typing import NamedTuple

import torch
from torch import Tensor

from flt.errors import check_count, check_positive
from flt.functional.choice import check_some
from flt.functional.distances import shortening
from flt.functional.rows import Rows


class Clipped(NamedTuple):
    """What `clipped_around` finds.

    Attributes:
        center: The aggregate, and the centre of the next round, shape ``[num_params]``.
        factors: What the difference of each update from the last centre was multiplied by, ``[num_clients]``.
    """

    center: Tensor
    factors: Tensor


def centered_clipping(
    updates: Tensor,
    center: Tensor | None = None,
    *,
    max_norm: float = 100.0,
    relative: bool = False,
    num_steps: int = 1,
) -> Tensor:
    """The centre v, moved by the mean of the differences ``g_i - v``, those longer than a bound shortened to it.

    ``v <- v + (1 / n) sum_i (g_i - v) min(1, tau / |g_i - v|)``, as often as there are steps.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        center: The aggregate of the last round, shape ``[num_params]``; None is zero.
        max_norm: The bound tau, above 0.
        relative: Whether ``max_norm`` is in units of the median distance of the updates from the centre.
        num_steps: Steps (L), 1 or more.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If a setting is out of range, or there are no updates.

    Reference:
        Karimireddy, He and Jaggi, Learning from History for Byzantine Robust Optimization, ICML 2021.

    Example:
        >>> centered_clipping(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), max_norm=1.0)
        tensor([0.3000, 0.9000])
    """
    check_some(updates)
    check_positive("max_norm", max_norm)
    check_count("num_steps", num_steps)
    return clipped_around(Rows(updates), center, max_norm=max_norm, relative=relative, num_steps=num_steps).center


def clipped_around(rows: Rows, center: Tensor | None, *, max_norm: float, relative: bool, num_steps: int) -> Clipped:
    """The rule behind `centered_clipping`; each step goes through the rows twice."""
    center = rows.updates.new_zeros(rows.num_params) if center is None else center
    for _ in range(num_steps):
        distances = rows.distances_to(center)
        factors = shortening(distances, max_norm * distances.quantile(0.5) if relative else max_norm)
        moved = rows.scaled_sum(torch.full_like(factors, 1.0 / len(rows)), factors).sums
        center = (center.double() * (1.0 - factors.mean()) + moved).to(center.dtype)
    return Clipped(center, factors)
