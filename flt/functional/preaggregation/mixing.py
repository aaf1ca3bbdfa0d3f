"""Nearest-neighbour mixing: every update is replaced by the mean of its nearest neighbours."""

from torch import Tensor

from flt.errors import InputError
from flt.functional.gram import Gram


def nearest_neighbor_mixing(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """The mixing matrix of NNM: row i averages the ``n - f`` updates nearest to update i, itself included.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``.

    Returns:
        Shape ``[num_clients, num_clients]``, rows that add up to 1; ``mixing @ updates`` are the mixed updates. Of
        equally near updates those with lower index are taken.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023.

    Example:
        >>> import torch
        >>> nearest_neighbor_mixing(torch.tensor([[0.0], [1.0], [9.0]]), num_byzantine=1)
        tensor([[0.5000, 0.5000, 0.0000],
                [0.5000, 0.5000, 0.0000],
                [0.0000, 0.5000, 0.5000]])
    """
    return mixing_weights(Gram.of(updates), num_byzantine=num_byzantine).to(updates.dtype)


def mixing_weights(gram: Gram, *, num_byzantine: int) -> Tensor:
    """The matrix of `nearest_neighbor_mixing`, from inner products; float64."""
    num_clients = len(gram.squared_distances)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: NNM needs num_clients >= 2 * num_byzantine + 1, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    # An update is its own nearest, also beside one that is equal to it.
    distances = gram.squared_distances.clone().fill_diagonal_(-1.0)
    nearest = distances.sort(dim=1, stable=True).indices[:, : num_clients - num_byzantine]
    return distances.new_zeros(num_clients, num_clients).scatter_(1, nearest, 1.0 / nearest.shape[1])
