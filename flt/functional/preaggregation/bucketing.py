"""Bucketing and s-resampling: updates are averaged in random groups, and the rule sees the means."""

import torch
from torch import Tensor

from flt.errors import check_count


def bucketing(num_clients: int, *, size: int, order: Tensor) -> Tensor:
    """The mixing matrix of bucketing: row r averages the clients of bucket r.

    Args:
        num_clients: Number of clients (n).
        size: Clients in a bucket (s); the last bucket may have fewer, and is the mean of those.
        order: A permutation of the clients, of which each ``size`` in turn make a bucket, shape ``[num_clients]``.

    Returns:
        Float32 of shape ``[ceil(num_clients / size), num_clients]``, rows that add up to 1.

    Raises:
        InputError: If ``size`` is below 1.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022.

    Example:
        >>> bucketing(3, size=2, order=torch.tensor([2, 0, 1]))
        tensor([[0.5000, 0.0000, 0.5000],
                [0.0000, 1.0000, 0.0000]])
    """
    check_count("size", size)
    bucket_of = torch.arange(num_clients, device=order.device) // size
    mixing = torch.zeros(-(-num_clients // size), num_clients, device=order.device)
    mixing[bucket_of, order] = 1.0
    return mixing / mixing.sum(dim=1, keepdim=True)


def resampling(num_clients: int, *, size: int, order: Tensor) -> Tensor:
    """The mixing matrix of s-resampling: each row averages ``size`` draws, and each client is drawn ``size`` times.

    A client may be in a row more than once.

    Args:
        num_clients: Number of clients (n).
        size: Draws in a row, and of a client (s).
        order: A permutation of the draws, of which each ``size`` in turn make a row, shape ``[size * num_clients]``;
            draw k is one of client ``k % num_clients``.

    Returns:
        Float32 of shape ``[num_clients, num_clients]``, rows and columns that add up to 1.

    Raises:
        InputError: If ``size`` is below 1.

    Reference:
        He, Karimireddy and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Resampling, 2020.

    Example:
        >>> resampling(3, size=2, order=torch.tensor([0, 3, 1, 2, 4, 5]))
        tensor([[1.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 0.5000],
                [0.0000, 0.5000, 0.5000]])
    """
    check_count("size", size)
    rows = torch.arange(num_clients * size, device=order.device) // size
    mixing = torch.zeros(num_clients, num_clients, device=order.device)
    return mixing.index_put_((rows, order % num_clients), torch.ones_like(order, dtype=mixing.dtype), True) / size
