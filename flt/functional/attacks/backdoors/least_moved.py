"""Neurotoxin's mask: the coordinates that others hardly move."""

import torch
from torch import Tensor


def least_moved(reference: Tensor, *, ratio: float = 0.95) -> Tensor:
    """Mask of the fraction ``ratio`` of the coordinates in which a vector is smallest by absolute value.

    Args:
        reference: What tells where others move the model, such as its last step, shape ``[num_params]``, or
            ``[num_clients, num_params]`` for a mask each.
        ratio: Fraction r of the coordinates that are kept, rounded to a whole number of them.

    Returns:
        Boolean, of the shape of ``reference``; of equal entries the earlier ones come first. Where a vector is zero,
        all coordinates are kept: nothing is known.

    Reference:
        Zhang, Panda et al., Neurotoxin: Durable Backdoors in Federated Learning, ICML 2022.

    Example:
        >>> least_moved(torch.tensor([0.1, -5.0, 0.3, -0.02, 2.0]), ratio=0.6).int().tolist()
        [1, 0, 1, 1, 0]
    """
    kept = round(ratio * reference.shape[-1])
    smallest = reference.abs().sort(dim=-1, stable=True).indices[..., :kept]
    mask = torch.zeros_like(reference, dtype=torch.bool).scatter_(-1, smallest, True)
    return mask | (reference == 0).all(dim=-1, keepdim=True)
