"""Rescaling: every update is brought to one length, so that its direction alone says who is near to whom."""

import torch
from torch import Tensor

from flt.functional.aggregation.coordinatewise import median
from flt.functional.distances import norms


def rescaling(updates: Tensor) -> Tensor:
    """The mixing matrix of rescaling, which brings every update to the median length of those that are not zero.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.

    Returns:
        Diagonal, shape ``[num_clients, num_clients]``; ``mixing @ updates`` are the rescaled updates. Zero ones stay.

    Example:
        >>> rescaling(torch.tensor([[8.0], [2.0], [-1.0], [0.0]])).diagonal()
        tensor([0.2500, 1.0000, 2.0000, 1.0000])
    """
    return rescaling_factors(norms(updates)).diag().to(updates.dtype)


def rescaling_factors(norms: Tensor) -> Tensor:
    """What `rescaling` multiplies each update by, from their norms; both of shape ``[num_clients]``."""
    is_there = norms > 0
    if not bool(is_there.any()):
        return torch.ones_like(norms)
    length = median(norms[is_there][:, None])[0]
    # An update so short that its factor overflows in float32 is as good as zero.
    is_there = is_there & (length <= norms * (torch.finfo(torch.float32).max / 4))
    return torch.where(is_there, length / norms, 1.0)
