"""How many malicious clients a vote of models withstands, each of which was trained on some of the clients.

A malicious client can change, at will, the models of the groups that it is in, and no other. The label with most votes
wins, of equals the lower one: against class i, label y loses as soon as ``N_y < N_i + [i < y]``.

Reference:
    Cao, Jia and Gong, Provably Secure Federated Learning against Malicious Clients, AAAI 2021 (the ensemble); Cao,
    Zhang, Jia and Gong, FLCert: Provably Secure Federated Learning against Poisoning Attacks, TIFS 2022.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor


def count_votes(predictions: Tensor, num_classes: int) -> Tensor:
    """The votes of each class for each example, int64 of shape ``[num_examples, num_classes]``.

    Args:
        predictions: Predicted classes, int64 of shape ``[num_models, num_examples]``.
        num_classes: Number of classes.

    Example:
        >>> count_votes(torch.tensor([[0, 1], [0, 2], [1, 2]]), 3).tolist()
        [[2, 1, 0], [0, 1, 2]]
    """
    votes = predictions.new_zeros(predictions.shape[1], num_classes)
    return votes.scatter_add_(1, predictions.T, torch.ones_like(predictions.T))


def elected(votes: Tensor) -> Tensor:
    """The class with most votes for each example, of equals the lowest, int64 of shape ``[num_examples]``.

    Example:
        >>> elected(torch.tensor([[2, 2, 0], [0, 1, 2]])).tolist()
        [0, 2]
    """
    classes = torch.arange(votes.shape[1], device=votes.device)
    return (votes * len(classes) - classes).argmax(dim=1)  # no two of these are equal


def vote_margin(votes: Tensor) -> Tensor:
    """Votes by which the elected class is ahead: ``N_y - max_(i != y) (N_i + [i < y])``, shape ``[num_examples]``.

    The class that is nearest to winning need not be the one with the second most votes: that may be a higher class
    than y, which would need one vote more.

    Example:
        >>> vote_margin(torch.tensor([[2, 5, 0], [0, 5, 2]])).tolist()
        [2, 3]
    """
    labels = elected(votes)[:, None]
    rivals = votes + (torch.arange(votes.shape[1], device=votes.device) < labels)
    return (votes.gather(1, labels) - rivals.scatter(1, labels, -1).amax(dim=1, keepdim=True))[:, 0]


def certified_by_groups(votes: Tensor) -> Tensor:
    """Malicious clients that cannot change an elected class where no client is in two groups (FLCert-D).

    Each of them turns at most one vote, at worst from y to the nearest rival, which is two votes of the margin:
    ``m* = floor((N_y - max_(i != y) (N_i + [i < y])) / 2)``. One more, in groups that voted for y, does change it.

    Args:
        votes: Of each class, one for each group, int64 of shape ``[num_examples, num_classes]``.

    Returns:
        Int64 of shape ``[num_examples]``.

    Example:
        >>> certified_by_groups(torch.tensor([[10, 0], [0, 10], [0, 9], [3, 6]])).tolist()
        [5, 4, 4, 1]
    """
    return vote_margin(votes) // 2


def certified_by_all(votes: Tensor, *, num_clients: int, clients_per_model: int) -> Tensor:
    """Malicious clients that cannot change what the models of all groups of k of n clients have elected.

    Of ``C(n, k)`` groups m clients are in all but ``C(n - m, k)``; certified is the largest m for which twice those are
    no more than the margin.

    Args:
        votes: Of each class, one for each group, int64 of shape ``[num_examples, num_classes]``.
        num_clients: Number of clients (n).
        clients_per_model: Clients of a group (k).

    Returns:
        Int64 of shape ``[num_examples]``.

    Example:
        >>> certified_by_all(torch.tensor([[45, 0], [37, 8]]), num_clients=10, clients_per_model=2).tolist()
        [2, 1]
    """
    return _by_value(vote_margin(votes), lambda margin: _withstood(margin, num_clients, clients_per_model))


def certified_by_sample(votes: Tensor, *, num_clients: int, clients_per_model: int, alpha: float) -> Tensor:
    """Malicious clients that cannot change what all groups of k of n clients would elect, from a sample of them.

    With probability ``1 - alpha`` all of it holds at once, for the vote of the models of all ``T = C(n, k)`` groups.
    The share of them that votes for y is at least ``p`` (Clopper and Pearson), so ``ceil(p T)`` groups do, and no other
    class has more than the rest. Certified is the largest m with ``2 (T - C(n - m, k))`` no more than the margin.

    Args:
        votes: Of each class, one for each draw, with replacement, int64 of shape ``[num_examples, num_classes]``.
        num_clients: Number of clients (n).
        clients_per_model: Clients of a group (k).
        alpha: Probability of an error, above 0 and below 1.

    Returns:
        Int64 of shape ``[num_examples]``; -1 where not even the label is certain.

    Reading:
        The papers share alpha among the d examples. Here each has ``alpha / (2 d)``: the same draws choose the label,
        which may go wrong on either side.

    Example:
        >>> votes = torch.tensor([[0, 100], [30, 70]])
        >>> certified_by_sample(votes, num_clients=30, clients_per_model=3, alpha=0.001).tolist()
        [4, 0]
    """
    total, labels = math.comb(num_clients, clients_per_model), elected(votes)
    error = alpha / (2 * max(1, len(votes)))

    def margin(key: int) -> int:
        count, is_first = divmod(key, 2)
        sure = math.ceil(Fraction(least_share(count, int(votes[0].sum()), error)) * total)
        return _withstood(2 * sure - total - (not is_first), num_clients, clients_per_model)

    return _by_value(2 * votes.gather(1, labels[:, None])[:, 0] + (labels == 0), margin)


def least_share(count: int, num_draws: int, error: float) -> float:
    """The lower bound of a share by Clopper and Pearson: for any below it, as many hits are less likely than ``error``.

    Args:
        count: Hits.
        num_draws: Draws.
        error: Probability that the share is below the bound.

    Example:
        >>> round(least_share(100, 100, 0.001), 4), least_share(0, 100, 0.001)
        (0.9333, 0.0)
    """
    low, high = 0.0, count / num_draws
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _tail(count, num_draws, middle) <= error else (low, middle)
    return low


def certified_shares(certified: Tensor, right: Tensor) -> list[float]:
    """The share of examples that stay rightly labelled under m malicious clients, m = 0, 1, ... up to the first 0.

    Args:
        certified: Malicious clients that cannot change the label, shape ``[num_examples]``.
        right: Whether the label is right, boolean of shape ``[num_examples]``.

    Example:
        >>> certified_shares(torch.tensor([2, 0, 1, 5]), torch.tensor([True, True, True, False]))
        [0.75, 0.5, 0.25, 0.0]
    """
    most = int(torch.where(right, certified, -1).max())
    return [float((right & (certified >= number)).double().mean()) for number in range(most + 2)]


def _withstood(margin: int, num_clients: int, clients_per_model: int) -> int:
    """The largest m whose groups, twice, are no more than the margin; -1 for a negative margin."""
    total, most = math.comb(num_clients, clients_per_model), -1
    while most < num_clients and 2 * (total - math.comb(num_clients - most - 1, clients_per_model)) <= margin:
        most += 1
    return most


def _tail(count: int, num_draws: int, share: float) -> float:
    """The probability of at least so many hits."""
    if not count:
        return 1.0
    if share <= 0:
        return 0.0
    hit, miss, whole = math.log(share), math.log1p(-share), math.lgamma(num_draws + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(i + 1) - math.lgamma(num_draws - i + 1) + i * hit + (num_draws - i) * miss)
        for i in range(count, num_draws + 1)
    )


def _by_value(values: Tensor, function: Callable[[int], int]) -> Tensor:
    """A function of each number, asked once for each value."""
    found = {value: function(value) for value in {*values.tolist()}}
    return values.new_tensor([found[value] for value in values.tolist()])
