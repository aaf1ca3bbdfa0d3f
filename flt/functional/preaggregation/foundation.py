"""FoundationFL: copies of the update farthest from the extremes join the updates before a rule sees them."""

from collections.abc import Iterable

import torch
from torch import Tensor

from flt.errors import check_count
from flt.functional.choice import check_some
from flt.functional.distances import norms
from flt.functional.rows import Rows


def foundation(updates: Tensor, *, num_synthetic: int) -> Tensor:
    """The mixing matrix of FoundationFL: all updates, then copies of the one that is farthest from the extremes.

    That is the one with the largest ``min(|g_i - max|, |g_i - min|)``, where max and min are those of each coordinate.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_synthetic: Copies that join (m), 0 or more.

    Returns:
        Float64 of shape ``[num_clients + num_synthetic, num_clients]``, a single 1 in each row.

    Raises:
        InputError: If ``num_synthetic`` is negative, or there are no updates.

    Reference:
        Fang et al., Do We Really Need to Design New Byzantine-robust Aggregation Rules?, NDSS 2025.

    Example:
        >>> foundation(torch.tensor([[0.0], [4.0], [9.0]]), num_synthetic=1)
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.],
                [0., 1., 0.]], dtype=torch.float64)
    """
    check_some(updates)
    return foundation_mixing(Rows(updates), num_synthetic=num_synthetic)


def foundation_mixing(rows: Rows, *, num_synthetic: int) -> Tensor:
    """The matrix of `foundation`, for rows."""
    check_count("num_synthetic", num_synthetic, least=0)
    mixing = torch.eye(len(rows), dtype=torch.float64, device=rows.updates.device)
    chosen = distances_from_extremes(rows).argmax()
    return torch.cat([mixing, mixing[chosen].expand(num_synthetic, -1)])


def distances_from_extremes(rows: Rows) -> Tensor:
    """Each row's distance from the largest or the smallest values, whichever is nearer, float64, ``[num_rows]``."""
    squares = _squares_from_extremes(rows.blocks())
    if not bool(squares.isfinite().all()):  # float32 does not hold the difference of its two largest numbers
        squares = _squares_from_extremes(block.double() for block in rows.blocks())
    return squares.amin(dim=0).sqrt()


def _squares_from_extremes(blocks: Iterable[Tensor]) -> Tensor:
    """Squared distances of each row from the largest and from the smallest values, float64, ``[2, num_rows]``."""
    found = [[norms(block - extreme) for extreme in (block.amax(dim=0), block.amin(dim=0))] for block in blocks]
    return torch.stack([torch.stack(lengths) for lengths in found]).square_().sum(dim=0)
