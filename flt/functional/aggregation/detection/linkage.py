"""Clusters by linkage, from distances between every two clients: the majority at a single link, or two on average."""

import numpy as np
import torch
from torch import Tensor

SAME = 1e-12  # distances of cosines, between 0 and 2, that differ by less are equal but for rounding


def single_linkage_majority(distances: Tensor) -> Tensor:
    """The first cluster of single linkage that holds more than half of the clients, boolean of shape ``[n]``.

    The least distance h is looked for at which the graph of all pairs no further apart than h has a component of
    ``n // 2 + 1`` clients or more; that component is the cluster.

    Args:
        distances: Between every two clients, shape ``[n, n]``, symmetric.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
        >>> single_linkage_majority(torch.cdist(points, points))
        tensor([ True,  True,  True, False])
    """
    order, links = _prim(distances.numpy(force=True).astype(np.float64))
    # In the order in which Prim's tree grows, every component is a run of clients between two longer links.
    needed = len(order) // 2
    windows = np.lib.stride_tricks.sliding_window_view(links, needed) if needed else np.zeros((len(order), 1))
    longest = windows.max(axis=1)
    start = int(longest.argmin())
    is_cut = np.concatenate([[True], links > longest[start] + SAME, [True]])
    first = start - int(is_cut[start::-1].argmax())
    last = start + 1 + int(is_cut[start + 1 :].argmax())
    found = np.zeros(len(order), dtype=bool)
    found[order[first:last]] = True
    return torch.from_numpy(found).to(distances.device)


def _prim(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clients in the order in which a shortest tree reaches them, and the links that reach all but the first."""
    num_clients = len(distances)
    order, links = np.zeros(num_clients, dtype=np.int64), np.zeros(max(num_clients - 1, 0))
    nearest = distances[0].copy() if num_clients else distances
    outside = np.zeros(num_clients)  # infinite for clients that are in the tree
    outside[:1] = np.inf
    for step in range(num_clients - 1):
        reached = (nearest + outside).argmin()
        order[step + 1], links[step] = reached, nearest[reached]
        outside[reached] = np.inf
        np.minimum(nearest, distances[reached], out=nearest)
    return order, links


def average_linkage_halves(distances: Tensor, lengths: Tensor) -> Tensor:
    """The larger of the last two clusters of average linkage, boolean of shape ``[n]``.

    Clusters whose clients are the closest on average are joined until two are left. Of two of a size, the one with the
    shorter vectors is taken.

    Args:
        distances: Between every two clients, shape ``[n, n]``, symmetric; two clients or more for two clusters.
        lengths: Of the clients' vectors, shape ``[n]``.

    Example:
        >>> points = torch.tensor([[9.0], [0.0], [1.0], [2.0]])
        >>> average_linkage_halves(torch.cdist(points, points), points.norm(dim=1))
        tensor([False,  True,  True,  True])
    """
    between = distances.numpy(force=True).astype(np.float64)  # a copy
    np.fill_diagonal(between, np.inf)
    sizes, cluster = np.ones(len(between)), np.arange(len(between))
    for _ in range(len(between) - 2):
        one, other = sorted(divmod(int(between.argmin()), len(between)))
        joined = (sizes[one] * between[one] + sizes[other] * between[other]) / (sizes[one] + sizes[other])
        joined[one] = np.inf
        between[one], between[:, one] = joined, joined
        between[other], between[:, other] = np.inf, np.inf
        sizes[one] += sizes[other]
        cluster[cluster == other] = one
    is_first = torch.from_numpy(cluster == 0).to(distances.device)  # the first client's cluster keeps its number
    halves = (is_first, ~is_first)
    return max(halves, key=lambda half: (int(half.sum()), -float(lengths[half].sum())))
