"""Rules that count signs: the majority's sign, and learning rates turned around where there is no majority."""

from collections.abc import Iterable

import torch
from torch import Tensor

from flt.errors import InputError, check_positive
from flt.functional.blocks import column_blocks


def sign_sgd(updates: Tensor, *, step: float) -> Tensor:
    """A step of one length along each coordinate, to where more updates point; none where as many point either way.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        step: That length, above 0.

    Returns:
        The aggregate ``step * sign(sum_i sign(g_i))``, shape ``[num_params]``.

    Raises:
        InputError: If ``step`` is not above 0.

    Reference:
        Bernstein et al., signSGD with Majority Vote is Communication Efficient and Fault Tolerant, ICLR 2019.

    Example:
        >>> sign_sgd(torch.tensor([[3.0, 4.0], [-9.0, 1.0], [1.0, 0.0]]), step=0.5)
        tensor([0.5000, 0.5000])
    """
    check_positive("step", step)
    return step * sign_sums(updates).sign()


def robust_learning_rate(updates: Tensor, aggregate: Tensor, *, threshold: int) -> Tensor:
    """An aggregate, turned around along each coordinate on whose sign too few of the updates agree.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        aggregate: What a rule has made of them, shape ``[num_params]``.
        threshold: The least ``|sum_i sign(g_i)|`` along a coordinate that leaves it as it is (theta), from 0, which
            leaves all, to ``num_clients``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If ``threshold`` is out of range.

    Reference:
        Ozdayi, Kantarcioglu and Gel, Defending against Backdoors in Federated Learning with Robust Learning Rate,
        AAAI 2021.

    Example:
        >>> updates = torch.tensor([[3.0, 4.0], [-9.0, 1.0], [1.0, 2.0]])
        >>> robust_learning_rate(updates, updates.mean(dim=0), threshold=3)
        tensor([1.6667, 2.3333])
    """
    if not 0 <= threshold <= len(updates):
        raise InputError(f"threshold={threshold} must be from 0 to the number of updates, {len(updates)}")
    return turned_around(aggregate, sign_sums(updates), threshold=threshold)


def turned_around(aggregate: Tensor, sign_sums: Tensor, *, threshold: int) -> Tensor:
    """The aggregate, negative along each coordinate with a sum of signs shorter than ``threshold``."""
    return aggregate.where(sign_sums.abs() >= threshold, -aggregate)


def sign_counts(blocks: Iterable[Tensor]) -> Tensor:
    """For each row, positive entries less negative ones, then both together; float64 of shape ``[2, num_clients]``.

    Args:
        blocks: Updates some columns at a time, each block of shape ``[num_clients, num_columns]``.

    Example:
        >>> sign_counts([torch.tensor([[3.0, -4.0], [0.0, 9.0]]), torch.tensor([[2.0], [1.0]])])
        tensor([[1., 2.],
                [3., 2.]], dtype=torch.float64)
    """
    counts = [torch.stack([signs.sum(dim=1), signs.abs().sum(dim=1)]) for signs in (block.sign() for block in blocks)]
    return torch.stack(counts).sum(dim=0, dtype=torch.float64)


def sign_sums(updates: Tensor) -> Tensor:
    """``sum_i sign(g_i)``, shape ``[num_params]``; signs have no gradient."""
    updates = updates.detach()
    sums = updates.new_empty(updates.shape[1])
    for found, block in zip(column_blocks(sums[None]), column_blocks(updates), strict=True):
        found[0] = block.sign().sum(dim=0)
    return sums
