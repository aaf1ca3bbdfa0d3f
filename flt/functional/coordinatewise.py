"""Rules that look at one coordinate at a time: trimmed mean and median."""

import numpy as np
import torch
from torch import Tensor

from flt.errors import InputError


def trimmed_mean(updates: Tensor, *, trim: int) -> Tensor:
    """Per coordinate, the mean of what is left after dropping the ``trim`` largest and ``trim`` smallest values.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        trim: Values dropped at each end, ``0 <= trim`` and ``2 * trim < num_clients``; the paper's k.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If ``trim`` is out of range.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.

    Example:
        >>> trimmed_mean(torch.tensor([[1.0], [2.0], [3.0], [100.0]]), trim=1)
        tensor([2.5000])
    """
    num_clients = len(updates)
    check_trim(trim, num_clients)
    return sort_clients(updates)[:, trim : num_clients - trim].mean(dim=1)


def median(updates: Tensor) -> Tensor:
    """Per coordinate, the median; for an even number of clients the mean of the two middle values.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Reference:
        Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018.

    Example:
        >>> median(torch.tensor([[1.0], [2.0], [4.0], [100.0]]))
        tensor([3.])
    """
    num_clients = len(updates)
    ordered = sort_clients(updates)
    # Halving before adding: the sum of two large finite values could overflow.
    return ordered[:, (num_clients - 1) // 2] / 2 + ordered[:, num_clients // 2] / 2


def check_trim(trim: int, num_clients: int) -> None:
    """Raises an `InputError` unless ``trim`` values can be dropped at both ends of ``num_clients``."""
    if trim < 0 or 2 * trim >= num_clients:
        raise InputError(
            f"trim={trim} must be at least 0 and less than half of the {num_clients} clients "
            f"(at most {max(0, (num_clients - 1) // 2)})"
        )


def sort_clients(updates: Tensor) -> Tensor:
    """The updates transposed and sorted along the clients, shape ``[num_params, num_clients]``."""
    columns = updates.T.contiguous()
    if columns.device.type == "cpu":
        # NumPy's vectorised sort is several times as fast as torch's on short rows.
        return torch.from_numpy(np.sort(columns.detach().numpy(), axis=1))
    return columns.sort(dim=1).values
