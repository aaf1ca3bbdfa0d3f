"""Clipping: long updates are shortened, to a given length or to one that follows from the updates themselves."""

import torch
from torch import Tensor

from flt.errors import InputError, check_positive
from flt.functional.distances import norms, shortening


def clipping(updates: Tensor, *, max_norm: float) -> Tensor:
    """The mixing matrix of static clipping, which shortens updates longer than ``max_norm`` to it.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        max_norm: The bound on an update's Euclidean norm, above 0.

    Returns:
        Diagonal, shape ``[num_clients, num_clients]``; ``mixing @ updates`` are the shortened updates.

    Raises:
        InputError: If ``max_norm`` is not above 0.

    Example:
        >>> clipping(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), max_norm=2.0)
        tensor([[0.4000, 0.0000],
                [0.0000, 1.0000]])
    """
    check_positive("max_norm", max_norm)
    return shortening(norms(updates), max_norm).diag().to(updates.dtype)


def adaptive_robust_clipping(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """The mixing matrix of ARC, which shortens the ``k = floor(2 (f / n) (n - f))`` longest updates to the next one.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; 0 to ``num_clients``.

    Returns:
        Diagonal, shape ``[num_clients, num_clients]``; ``mixing @ updates`` are the shortened updates.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Allouah et al., Adaptive Gradient Clipping for Robust Federated Learning, ICLR 2025.

    Example:
        >>> adaptive_robust_clipping(torch.tensor([[8.0], [2.0], [1.0]]), num_byzantine=1).diagonal()
        tensor([0.2500, 1.0000, 1.0000])
    """
    return arc_factors(norms(updates), num_byzantine=num_byzantine).diag().to(updates.dtype)


def arc_factors(norms: Tensor, *, num_byzantine: int) -> Tensor:
    """What `adaptive_robust_clipping` multiplies each update by, from their norms; both of shape ``[num_clients]``."""
    num_clients = len(norms)
    if not 0 <= num_byzantine <= num_clients:
        raise InputError(
            f"num_byzantine={num_byzantine}: ARC needs num_clients >= num_byzantine, and there are {num_clients}"
            f" clients (at most {num_clients})"
        )
    num_clipped = 2 * num_byzantine * (num_clients - num_byzantine) // max(num_clients, 1)
    if not num_clipped:
        return torch.ones_like(norms)
    return shortening(norms, norms.sort().values[num_clients - num_clipped - 1])
