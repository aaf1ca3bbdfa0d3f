"""Projected gradient ascent: the direction in which the loss grows, at a length that does not stand out."""

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import known, sent


def gradient_ascent(
    updates: Tensor,
    malicious: Tensor,
    *,
    norm: float | None = None,
    shared: bool = True,
) -> Tensor:
    """Updates of all clients with those that malicious clients have found by gradient ascent brought to one length.

    ``g_i = tau a_i / |a_i|`` with a_i the malicious client's own ascent, or the mean of all of theirs (shared), and tau
    the mean length of the benign updates.

    Args:
        updates: What benign clients have trained, and the ascents of malicious ones, ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        norm: The length tau; None for the mean length of the benign updates.
        shared: Whether all malicious clients send the same.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``; an ascent of length 0 stays.

    Reference:
        Shejwalkar et al., Back to the Drawing Board: A Critical Evaluation of Poisoning Attacks on Production Federated
        Learning, S&P 2022.

    Example:
        >>> ascents = torch.tensor([[0.0, 1.0], [3.0, 4.0]])
        >>> gradient_ascent(ascents, torch.tensor([True, False])).tolist()
        [[0.0, 5.0], [3.0, 4.0]]
    """
    benign, own = known(updates, malicious), known(updates, malicious, "partial")
    if not len(own) or (norm is None and not len(benign)):
        return updates
    ascents = updates.index_select(0, own).double()
    ascents = ascents.mean(dim=0, keepdim=True).expand_as(ascents) if shared else ascents
    lengths = torch.linalg.vector_norm(updates, dim=1, dtype=torch.float64)
    length = lengths[benign].mean() if norm is None else norm
    norms = ascents.norm(dim=1, keepdim=True)
    return sent(updates, malicious, torch.where(norms > 0, ascents * (length / norms), ascents))
