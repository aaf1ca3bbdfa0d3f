"""Distances and angles between client updates."""

import math

import torch
from torch import Tensor

from flt.functional.blocks import NUM_COLUMNS, column_blocks, float64_blocks

BLOCK = 4096  # entries of an update whose squares are added in float32
SCALED_AT_ONCE = 16 * NUM_COLUMNS  # numbers of a vector that are multiplied in float64
FEW = 2**15  # numbers that are copied to float64 in no time
SHORTEST, LONGEST = 1e-15, 1e18  # lengths whose squares, and those of their parts that matter, float32 holds


def finite_rows(updates: Tensor) -> Tensor:
    """Which updates hold neither a NaN nor an infinity.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.

    Returns:
        Boolean mask, shape ``[num_clients]``.

    Example:
        >>> finite_rows(torch.tensor([[1.0, 2.0], [float("nan"), 0.0]]))
        tensor([ True, False])
    """
    if not _has_quick_norms(updates):
        return updates.isfinite().all(dim=1)
    # A norm is one pass over memory without a copy. Only if it overflows do entries matter.
    is_finite = _quick_norms(updates).isfinite()
    if not bool(is_finite.all()):
        is_finite[~is_finite] = updates[~is_finite].isfinite().all(dim=1)
    return is_finite


def all_finite(updates: Tensor) -> bool:
    """Whether ``updates``, of any shape, hold neither a NaN nor an infinity.

    Example:
        >>> all_finite(torch.tensor([[1.0, 2.0], [float("nan"), 0.0]]))
        False
    """
    if not updates.numel():
        return True  # without waiting for a GPU
    # A sum is one pass over memory, and not finite whenever an entry is; only if it overflows do entries matter.
    return math.isfinite(float(updates.sum())) or bool(updates.isfinite().all())


def norms(updates: Tensor) -> Tensor:
    """Euclidean norm of each update, float64 of shape ``[num_clients]``; cannot overflow."""
    if not _has_quick_norms(updates):
        return _float64_norms(updates)
    lengths = _quick_norms(updates)
    if len(lengths) and not SHORTEST < float(lengths.min()) <= float(lengths.max()) < LONGEST:
        doubtful = ~((lengths > SHORTEST) & (lengths < LONGEST))
        lengths[doubtful] = _float64_norms(updates[doubtful])
    return lengths


def _has_quick_norms(updates: Tensor) -> bool:
    """Whether norms are taken in float32 and, where that does not hold them, again."""
    return updates.device.type == "cpu" and updates.dtype == torch.float32 and updates.numel() > FEW


def _quick_norms(updates: Tensor) -> Tensor:
    """Norms from squares in float32; wrong where float32 cannot hold these, and not finite where an entry is not."""
    # Torch takes a norm in float64 of a copy in float64. In float32, short pieces at a time, it is as good to some 1e-6
    # and, of many numbers, twenty times as fast, but for lengths whose squares float32 cannot hold.
    num_blocks = updates.shape[1] // BLOCK
    lengths: Tensor = torch.linalg.vector_norm(updates[:, num_blocks * BLOCK :], dim=1).double()
    if num_blocks:
        blocks = updates[:, : num_blocks * BLOCK].reshape(len(updates), num_blocks, BLOCK)
        lengths = torch.linalg.vector_norm(blocks, dim=2).double().square_().sum(dim=1).add_(lengths.square_()).sqrt_()
    return lengths


def _float64_norms(updates: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(updates, dim=1, dtype=torch.float64)
    return lengths


def shortening(lengths: Tensor, longest: Tensor | float) -> Tensor:
    """What to multiply vectors by that are to be no longer than ``longest``: ``min(1, longest / length)``; 1 for zero.

    Example:
        >>> shortening(torch.tensor([0.0, 1.0, 4.0]), 2.0)
        tensor([1.0000, 1.0000, 0.5000])
    """
    return torch.where(lengths > longest, longest / lengths, 1.0)


def cosine_similarity(updates: Tensor, root_update: Tensor) -> Tensor:
    """Cosine of the angle between each update and the root update; 0 where either of them is zero.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        root_update: The server's own update, shape ``[num_params]``.

    Returns:
        Cosines in [-1, 1], shape ``[num_clients]``, dtype of ``updates``.

    Example:
        >>> cosine_similarity(torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1., 0., 0.])
    """
    return cosines_of_length(updates, norms(updates), root_update, norms(root_update[None])[0])


def cosines_of_length(updates: Tensor, lengths: Tensor, root_update: Tensor, root_norm: Tensor) -> Tensor:
    """`cosine_similarity` where the norms are known, ``lengths`` of shape ``[num_clients]`` and a scalar."""
    # Dividing the root first keeps every partial sum of the product below the client's own norm.
    # Only with updates near the end of the float range could they still overflow; those get a shorter root.
    # Decided on the device: nothing has to be read back from a GPU.
    is_long = (lengths > torch.finfo(updates.dtype).max / 4).any()
    shrink = torch.ones_like(root_norm).masked_fill_(is_long, 0.25 / len(root_update) ** 0.5)
    along_root = _products(updates, root_update, shrink / root_norm)
    cosines = torch.where((lengths > 0) & (root_norm != 0), along_root / (lengths * shrink), 0.0)
    return cosines.clamp(-1.0, 1.0).to(updates.dtype)


def _products(updates: Tensor, vector: Tensor, factor: Tensor) -> Tensor:
    """Inner product of each update with the multiple of a vector by a float64 scalar, shape ``[num_clients]``."""
    if len(vector) <= NUM_COLUMNS:
        return updates @ (vector.double() * factor).to(updates.dtype)
    # Of ten million parameters a sum in float32 would keep two or three digits.
    # The multiple is made of so many numbers at a time that they stay in a processor's cache.
    longer = torch.split(vector, SCALED_AT_ONCE if updates.device.type == "cpu" else len(vector))
    multiples = (piece.to(torch.float64, copy=True).mul_(factor).to(updates.dtype) for piece in longer)
    pieces = (piece for multiple in multiples for piece in column_blocks(multiple[None]))
    products = [block @ piece[0] for block, piece in zip(column_blocks(updates), pieces, strict=True)]
    return torch.stack(products).cumsum(dim=0, dtype=torch.float64)[-1]  # one after the other, as a loop would


def inner_products(vectors: Tensor, others: Tensor) -> Tensor:
    """Inner product of each vector with each of the others, float64, shape ``[len(vectors), len(others)]``."""
    products = vectors.new_zeros(len(vectors), len(others), dtype=torch.float64)
    for block, other in zip(float64_blocks(vectors), float64_blocks(others), strict=True):
        products.addmm_(block, other.T)
    return products


def squared_distances_from_gram(gram: Tensor) -> Tensor:
    """Squared distances ``|x_i|^2 + |x_j|^2 - 2 <x_i, x_j>`` from inner products, both ``[n, n]``."""
    squared_norms = gram.diagonal()
    distances = (squared_norms[:, None] + squared_norms[None, :] - 2.0 * gram).clamp_(min=0.0)
    # Libraries take the two triangles in other orders; two updates are as far from each other either way.
    return (distances + distances.T).div_(2.0).fill_diagonal_(0.0)
