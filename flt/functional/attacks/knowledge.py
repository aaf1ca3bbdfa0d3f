"""What malicious clients know of the others, and how they put what they make of it into a round."""

from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.blocks import float64_blocks

Knowledge = Literal["full", "partial"]


def known(updates: Tensor, malicious: Tensor, knowledge: Knowledge = "full") -> Tensor:
    """Indices of the updates that the attacker knows: all benign ones, or the malicious clients' own honest ones.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own).

    Returns:
        Shape ``[num_known]``; empty where nobody is malicious, and under full knowledge where nobody is benign: an
        attack then leaves the updates as they are.

    Example:
        >>> known(torch.zeros(3, 1), torch.tensor([True, False, False]))
        tensor([1, 2])
    """
    check_choice("knowledge", knowledge, Knowledge)
    if not malicious.any():
        return malicious.nonzero().flatten()
    return (malicious if knowledge == "partial" else ~malicious).nonzero().flatten()


def mean_and_deviation(updates: Tensor, rows: Tensor, *, ddof: int = 0) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of some updates in each coordinate, in float64, each of shape ``[num_params]``.

    Args:
        updates: Shape ``[num_clients, num_params]``.
        rows: Indices of one update or more, shape ``[num_known]``.
        ddof: What is taken from the number of updates in the variance's divisor; one update alone has deviation 0.

    Example:
        >>> mean_and_deviation(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([0, 1]))
        (tensor([2.], dtype=torch.float64), tensor([1.], dtype=torch.float64))
    """
    divisor = max(len(rows) - ddof, 1)
    means, deviations = [], []
    for values in float64_blocks(updates, rows):
        means.append(values.mean(dim=0))
        deviations.append(values.sub_(means[-1]).square_().sum(dim=0).div_(divisor).sqrt_())
    return torch.cat(means), torch.cat(deviations)


def mean_of(updates: Tensor, rows: Tensor) -> Tensor:
    """Mean of some updates, in float64, shape ``[num_params]``.

    Args:
        updates: Shape ``[num_clients, num_params]``.
        rows: Indices of one update or more, shape ``[num_known]``.

    Example:
        >>> mean_of(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([0, 1]))
        tensor([2.], dtype=torch.float64)
    """
    return torch.cat([values.mean(dim=0) for values in float64_blocks(updates, rows)])


def sent(updates: Tensor, malicious: Tensor, crafted: Tensor) -> Tensor:
    """What the server receives: the updates with what the malicious clients send in their place.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        crafted: What they send, shape ``[num_malicious, num_params]``, first to last, or ``[num_params]`` for all.

    Returns:
        A new tensor of the shape and dtype of ``updates``; what its dtype cannot hold is the largest number that it
        can, while infinities and NaNs that were crafted stay.

    Example:
        >>> sent(torch.zeros(2, 1), torch.tensor([True, False]), torch.tensor([5.0]))
        tensor([[5.],
                [0.]])
    """
    received = updates.clone()
    received[malicious] = as_sent(crafted, updates.dtype)
    return received


def as_sent(crafted: Tensor, dtype: torch.dtype) -> Tensor:
    """What a client sends of a vector in float64: of a number that ``dtype`` cannot hold, the largest that it can."""
    largest = torch.finfo(dtype).max
    if crafted.device.type == "cpu" and crafted.numel():
        low, high = crafted.aminmax()  # NaN if one is among them
        if -largest <= low and high <= largest:
            return crafted.to(dtype)
    return torch.where(crafted.isfinite(), crafted.clamp(-largest, largest), crafted).to(dtype)
