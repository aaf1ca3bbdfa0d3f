"""(f, kappa)-robustness: how far an aggregate is from the honest mean, measured by how far honest updates are from it.

A rule is (f, kappa)-robust if, for every set G of ``n - f`` of n updates, whatever the others are,
``|aggregate - mean_G|^2 <= kappa / |G| sum_(i in G) |x_i - mean_G|^2``. It then is so for larger sets as well: average
over their subsets of that size. No rule has a smaller kappa than ``f / (n - 2 f)``.

Each constant here follows from an argument of two lines, which docs/guarantees.md has.

Reference:
    Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023.
"""

import math

import torch
from torch import Tensor

from flt.functional.blocks import column_blocks, float64_blocks


def realised_kappa(aggregate: Tensor, updates: Tensor, honest: Tensor) -> float:
    """The kappa of one round: how far the aggregate is from the honest mean, next to how far honest updates are.

    It is ``|aggregate - mean_G|^2`` over the mean of ``|x_i - mean_G|^2``.

    Args:
        aggregate: What the rule made of all updates, shape ``[num_params]``.
        updates: Shape ``[num_clients, num_params]``.
        honest: The set G, boolean of shape ``[num_clients]``.

    Returns:
        0 or more; NaN where nobody is honest or all honest updates are one, of which nothing can be said.

    Example:
        >>> updates = torch.tensor([[0.0], [2.0], [50.0]])
        >>> realised_kappa(torch.tensor([2.0]), updates, torch.tensor([True, True, False]))
        1.0
    """
    rows = honest.nonzero().flatten()
    if not len(rows):
        return math.nan
    apart = spread = updates.new_zeros((), dtype=torch.float64)
    for block, piece in zip(float64_blocks(updates, rows), column_blocks(aggregate[None]), strict=True):
        mean = block.mean(dim=0)
        apart = apart + (piece[0].double() - mean).square().sum()
        spread = spread + block.sub_(mean).square_().sum()
    return float(apart / spread) * len(rows) if spread > 0 else math.nan


def kappa_of_any(num_clients: int, num_byzantine: int) -> float:
    """The kappa below which no rule can be for n updates, f of them malicious: ``f / (n - 2 f)``.

    Example:
        >>> kappa_of_any(30, 6)
        0.3333333333333333
    """
    left = num_clients - 2 * num_byzantine
    return num_byzantine / left if left > 0 else math.inf


def kappa_of_trimmed_mean(num_clients: int, num_byzantine: int) -> float:
    """The kappa of the trimmed mean, f values trimmed at each end: ``6 r (1 + r)`` with ``r = f / (n - 2 f)``.

    Example:
        >>> kappa_of_trimmed_mean(30, 6)
        2.6666666666666665
    """
    ratio = kappa_of_any(num_clients, num_byzantine)
    return 6.0 * ratio * (1.0 + ratio)


def kappa_of_median(num_clients: int, num_byzantine: int) -> float:
    """The kappa of the coordinate-wise and of the geometric median: ``4 (1 + r)^2``, ``r = f / (n - 2 f)``.

    Example:
        >>> kappa_of_median(30, 6)
        7.111111111111111
    """
    return 4.0 * (1.0 + kappa_of_any(num_clients, num_byzantine)) ** 2


def kappa_of_krum(num_clients: int, num_byzantine: int, num_neighbours: int | None = None) -> float:
    """Krum's kappa for q neighbours, ``2 g (2 q / (g - 1) + 1) / (q + 1 - f)`` with ``g = n - f``.

    With ``q = n - f - 1`` it is the published ``6 (1 + f / (n - 2 f))``; the argument is the same for any q: the score
    of the client that is picked is at most the mean score of honest ones, and ``q + 1 - f`` of its neighbours, itself
    included, are honest.

    Args:
        num_clients: Updates (n).
        num_byzantine: Malicious ones among them (f).
        num_neighbours: Others whose distances count, at most ``n - f - 1``; None for ``n - f - 2``.

    Example:
        >>> kappa_of_krum(30, 6, num_neighbours=23), 6 * (1 + 6 / 18)
        (8.0, 8.0)
    """
    honest = num_clients - num_byzantine
    others = honest - 2 if num_neighbours is None else num_neighbours
    sure = others + 1 - num_byzantine
    if sure <= 0 or not 0 < others < honest:
        return math.inf
    return 2.0 * honest / sure * (2.0 * others / (honest - 1) + 1.0)


def kappa_of_mixing(inner: float, num_clients: int, num_byzantine: int) -> float:
    """The kappa of nearest-neighbour mixing before a rule with the kappa ``inner``: ``8 f / (n - f) (inner + 1)``.

    Example:
        >>> kappa_of_mixing(1.0, 30, 6)
        4.0
    """
    return 8.0 * num_byzantine / (num_clients - num_byzantine) * (inner + 1.0)
