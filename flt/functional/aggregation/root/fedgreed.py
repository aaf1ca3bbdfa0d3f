"""FedGreed: the mean of the updates with the least losses, as many as lower the loss of the mean."""

from collections.abc import Callable

import torch
from torch import Tensor

from flt.functional.choice import check_some, smallest
from flt.functional.rows import Rows


def fedgreed(updates: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean of the updates with the least losses, grown while its own loss on the root dataset does not rise.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        loss: The loss on the root dataset of ``w`` plus updates, ``[num_updates, num_params]`` to ``[num_updates]``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are no updates.

    Reference:
        Kritharakis et al., FedGreed: A Byzantine-Robust Loss-Based Aggregation Method for Federated Learning, FLTA
        2025.

    Example:
        >>> fedgreed(torch.tensor([[1.0], [2.5], [-9.0]]), lambda u: (u[:, 0] - 2).square())
        tensor([1.7500])
    """
    check_some(updates)
    rows = Rows(updates)
    return rows.mean(fedgreed_weights(loss(updates), lambda weights: loss(rows.mixed(weights).tensor)))


def fedgreed_weights(losses: Tensor, loss_of_means: Callable[[Tensor], Tensor]) -> Tensor:
    """What each update counts in the mean of `fedgreed`; float64, shape ``[num_clients]``.

    Args:
        losses: The loss of each update, shape ``[num_clients]``.
        loss_of_means: The losses of means with given weights, ``[num_means, num_clients]`` to ``[num_means]``.
    """
    num_clients = len(losses)
    order = smallest(losses, num_clients)
    sizes = torch.arange(1, num_clients + 1, device=losses.device)
    # Row k is the mean of the first k + 1; blocks of growing size, as most prefixes end early.
    is_in = torch.empty_like(order).scatter_(0, order, sizes)[None] <= sizes[:, None]
    means = is_in.double() / sizes[:, None]
    best, least, start, block = 0, losses[order[0]].double(), 1, 4
    while start < num_clients:
        for number, value in enumerate(loss_of_means(means[start : start + block]).double(), start):
            if not value <= least:
                return means[best]
            best, least = number, value
        start, block = start + block, 2 * block
    return means[best]
