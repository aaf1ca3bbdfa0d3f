"""AFLGuard: the mean of the updates that lie close to the root update."""

from typing import NamedTuple

import torch
from torch import Tensor

from flt.errors import check_positive
from flt.functional.distances import norms
from flt.functional.rows import Rows
from flt.functional.weighted_sum import WeightedSum


class Guarded(NamedTuple):
    """What `aflguard` makes of some of the clients, before it divides.

    Attributes:
        total: Sum of the updates that are accepted.
        weights: What each counts in the mean, float64 of shape ``[num_clients]``: its share, or 0.
        distances: Distance of each update from the root update, in lengths of that, shape ``[num_clients]``.
    """

    total: WeightedSum
    weights: Tensor
    distances: Tensor


def aflguard(updates: Tensor, root_update: Tensor, *, tolerance: float = 1.5) -> Tensor:
    """Mean of the updates with ``|g_i - g_0| <= tolerance * |g_0|``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        tolerance: Largest distance of an update that is accepted, in lengths of ``root_update``; above 0.

    Returns:
        The aggregate, shape ``[num_params]``; zero where none is accepted.

    Raises:
        InputError: If ``tolerance`` is not above 0.

    Reference:
        Fang et al., AFLGuard: Byzantine-robust Asynchronous Federated Learning, ACSAC 2022.

    Example:
        >>> import torch
        >>> aflguard(torch.tensor([[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1.0000, 0.5000])
    """
    check_positive("tolerance", tolerance)
    shares = updates.new_full((len(updates),), 1.0 / max(len(updates), 1)).double()
    return aflguard_sum(Rows(updates), root_update, shares, tolerance=tolerance).total.mean()


def aflguard_sum(rows: Rows, root_update: Tensor, shares: Tensor, *, tolerance: float) -> Guarded:
    """The sum behind `aflguard`, of any part of the clients, each counting by its share, shape ``[num_clients]``."""
    distances, root_norm = rows.distances_to(root_update), norms(root_update[None])[0]
    weights = shares * (distances <= tolerance * root_norm)
    scores = torch.where(distances > 0, distances / root_norm, 0.0)  # of two that are zero as well
    return Guarded(rows.weighted_sum(weights), weights, scores)
