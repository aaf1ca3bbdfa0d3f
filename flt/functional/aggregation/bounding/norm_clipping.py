"""Norm clipping: the plain mean of updates of bounded length, and noise on it."""

from torch import Tensor

from flt.errors import check_positive
from flt.functional.aggregation.norm_bounded_mean import norm_bounded_sum
from flt.functional.rows import Rows


def norm_clipping(updates: Tensor, noise: Tensor | None = None, *, max_norm: float) -> Tensor:
    """Mean of the updates, those longer than ``max_norm`` shortened to it, all clients counting alike; plus noise.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        noise: What is added to the mean, once, shape ``[num_params]``; None for nothing.
        max_norm: The bound on an update's Euclidean norm (C), above 0.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If ``max_norm`` is not above 0.

    Reference:
        Sun et al., Can You Really Backdoor Federated Learning?, 2019.

    Example:
        >>> import torch
        >>> norm_clipping(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), max_norm=1.0)
        tensor([0.3000, 0.9000])
    """
    check_positive("max_norm", max_norm)
    mean = norm_bounded_sum(Rows(updates), updates.new_ones(len(updates)).double(), max_norm=max_norm).mean()
    return mean if noise is None else mean + noise
