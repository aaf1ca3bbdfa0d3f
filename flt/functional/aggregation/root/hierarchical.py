"""FLTrust in groups of clients, each with a part of the root dataset of its own."""

import torch
from torch import Tensor

from flt.functional.aggregation.fltrust import FLTrustSum, fltrust_sum


def hierarchical_fltrust(updates: Tensor, root_updates: Tensor, groups: Tensor) -> Tensor:
    """FLTrust's aggregate of each group of clients; any rule may follow.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        root_updates: The server's update on each group's root dataset, shape ``[num_groups, num_params]``.
        groups: The group of each client, int64 from 0, shape ``[num_clients]``.

    Returns:
        Shape ``[num_groups, num_params]``; zero for a group in which nobody is trusted, or is at all.

    Reference:
        Rassou and Gonzalez, FoggyTrust, 2026.

    Example:
        >>> updates, groups = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, -1.0]]), torch.tensor([0, 1, 1])
        >>> hierarchical_fltrust(updates, torch.eye(2), groups)
        tensor([[1., 0.],
                [0., 1.]])
    """
    sums = [group_sum(updates[groups == number], root) for number, root in enumerate(root_updates)]
    return torch.stack([each.total.mean() for each in sums])


def group_sum(updates: Tensor, root_update: Tensor) -> FLTrustSum:
    """What FLTrust makes of a group, before it divides."""
    return fltrust_sum(updates, root_update, 1.0 / max(1, len(updates)))
