"""FLTG: clients on the root update's side, weighted by their angle with the one furthest from the last aggregate."""

from typing import NamedTuple

import torch
from torch import Tensor

from flt.functional.distances import norms
from flt.functional.rows import Rows

SAME = 1e-10  # of cosines: directions closer than this are the same, but for the rounding of float32


class Weighed(NamedTuple):
    """What `fltg` makes of each update.

    Attributes:
        weights: What each counts in the mean, float64 of shape ``[num_clients]``; all zero where nobody does.
        scales: What each is multiplied by, float64 of shape ``[num_clients]``.
        cosines: Cosine of each with the root update, float64 of shape ``[num_clients]``.
    """

    weights: Tensor
    scales: Tensor
    cosines: Tensor


def fltg(updates: Tensor, root_update: Tensor, last: Tensor | None = None) -> Tensor:
    """Weighted mean of the updates with a positive cosine with the root update, each brought to its length.

    A client's weight is ``1 - cos(g_i, g_r)``. The reference r is the one of these clients whose update has the
    smallest cosine with the last aggregate.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        last: The aggregate of the round before, shape ``[num_params]``; None in the first round, whose reference is
            the first of these clients.

    Returns:
        The aggregate, shape ``[num_params]``; ``root_update`` where no client has a positive cosine with it.

    Reference:
        Wen et al., FLTG: Byzantine-Robust Federated Learning via Angle-Based Defense and Non-IID-Aware Weighting, 2025.

    Example:
        >>> updates = torch.tensor([[4.0, 0.0], [3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]])
        >>> fltg(updates, torch.tensor([1.0, 1.0]), last=torch.tensor([0.0, 1.0])).round(decimals=3)
        tensor([0.2420, 1.3330])
    """
    rows = Rows(updates)
    weights, scales, _ = fltg_weights(rows, root_update, last)
    return rows.mean(weights, scales) if bool(weights.any()) else root_update.clone()


def fltg_weights(rows: Rows, root_update: Tensor, last: Tensor | None = None) -> Weighed:
    """Whom `fltg` counts, and how much; see there."""
    lengths, root_norm = rows.exact_norms, norms(root_update[None])[0]
    # An update so short that the factor which brings it to the root's length overflows is as good as zero.
    lengths = lengths.masked_fill(root_norm > lengths * (torch.finfo(rows.updates.dtype).max / 4), 0.0)
    cosines = _cosines(rows, lengths, root_update)
    is_kept = cosines > 0
    scales = torch.where(is_kept, root_norm / lengths, 0.0)
    if not bool(is_kept.any()):
        return Weighed(torch.zeros_like(cosines), scales, cosines)
    aligned = torch.zeros_like(cosines) if last is None else _cosines(rows, lengths, last)
    reference = rows.row(torch.where(is_kept, aligned, torch.inf).argmin())
    apart = (1.0 - _cosines(rows, lengths, reference)) * is_kept
    apart = torch.where(apart > SAME, apart, 0.0)
    return Weighed(apart if bool(apart.any()) else is_kept.double(), scales, cosines)


def _cosines(rows: Rows, lengths: Tensor, vector: Tensor) -> Tensor:
    """Cosine of the angle between each row and a vector, float64; 0 where either of them is zero."""
    norm = vector.double().square().sum().sqrt()
    cosines = rows.products_with(vector) / (lengths * norm)
    return torch.where((lengths > 0) & (norm > 0), cosines, 0.0).clamp(-1.0, 1.0)
