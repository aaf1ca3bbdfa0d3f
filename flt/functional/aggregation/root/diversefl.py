"""DiverseFL: the mean of the updates that are like what the server finds on a sample of the client's own data."""

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.blocks import float64_blocks
from flt.functional.distances import norms
from flt.functional.rows import Rows


def diversefl(updates: Tensor, guides: Tensor, *, min_ratio: float = 0.5, max_ratio: float = 2.0) -> Tensor:
    """Mean of the updates with ``<g_i, h_i> > 0`` and ``e_2 < |g_i| / |h_i| < e_3``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        guides: The server's update h_i on a sample of each client's data, of the same shape.
        min_ratio: The least ratio of lengths (e_2), 0 or more.
        max_ratio: The largest one (e_3), above the least.

    Returns:
        The aggregate, shape ``[num_params]``; zero where no update is accepted.

    Raises:
        InputError: If a ratio is out of range.

    Reference:
        Prakash and Avestimehr, Mitigating Byzantine Attacks in Federated Learning, 2020.

    Example:
        >>> updates = torch.tensor([[1.0, 0.0], [9.0, 0.0], [-1.0, 0.0]])
        >>> diversefl(updates, torch.ones(3, 2))
        tensor([1., 0.])
    """
    return Rows(updates).mean(accepted_by_guides(updates, guides, min_ratio=min_ratio, max_ratio=max_ratio)[0])


def accepted_by_guides(
    updates: Tensor, guides: Tensor, *, min_ratio: float, max_ratio: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Which updates `diversefl` accepts, boolean; their cosines with the guides and ratios of lengths, float64."""
    check_ratios(min_ratio, max_ratio)
    lengths, others = norms(updates), norms(guides)
    shortest = others.clamp(min=torch.finfo(torch.float64).tiny)[:, None]
    along = torch.zeros_like(lengths)
    for block, guide in zip(float64_blocks(updates), float64_blocks(guides), strict=True):
        # Directions first: a product of two long updates would overflow.
        along += torch.linalg.vecdot(block, guide.div_(shortest).to(updates.dtype).double())
    cosines = torch.where((lengths > 0) & (others > 0), along / lengths, 0.0).clamp(-1.0, 1.0).nan_to_num(0.0)
    ratios = torch.where(others > 0, lengths / others, torch.where(lengths > 0, torch.inf, 0.0))
    accepted = (cosines > 0) & (min_ratio < ratios) & (ratios < max_ratio)
    return accepted, cosines, ratios


def check_ratios(min_ratio: float, max_ratio: float, prefix: str = "") -> None:
    """Raises an `InputError` unless ratios of lengths can lie between the two."""
    if not 0 <= min_ratio < max_ratio:
        raise InputError(f"{prefix}min_ratio={min_ratio} must be 0 or more and below {prefix}max_ratio={max_ratio}")
