"""MoNNA: the mean of the updates nearest to a trusted one."""

from torch import Tensor

from flt.errors import InputError
from flt.functional.choice import equal_shares, smallest
from flt.functional.rows import Rows


def monna(updates: Tensor, pivot: Tensor, *, num_byzantine: int) -> Tensor:
    """Mean of the ``n - f`` updates nearest to a pivot.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        pivot: What the updates are compared with, such as the server's own update, shape ``[num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, ICML 2023.

    Example:
        >>> import torch
        >>> monna(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([2.0]), num_byzantine=1)
        tensor([0.5000])
    """
    num_clients = len(updates)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: MoNNA needs num_clients >= 2 * num_byzantine + 1, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    rows = Rows(updates)
    return rows.weighted_sum(nearest_weights(rows.distances_to(pivot), num_byzantine=num_byzantine)).mean()


def nearest_weights(distances: Tensor, *, num_byzantine: int) -> Tensor:
    """Weights of the mean of the ``n - f`` rows with the smallest distances, float64, shape ``[num_clients]``."""
    return equal_shares(smallest(distances, len(distances) - num_byzantine), len(distances))
