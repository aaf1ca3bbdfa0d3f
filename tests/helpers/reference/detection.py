"""Rules that look for attackers: clusters, histories, reputations, in NumPy."""

import numpy as np


def shares(mask):
    """Equal shares for those in the mask."""
    mask = np.asarray(mask, dtype=float)
    return mask / mask.sum() if mask.sum() else mask


def length(vector):
    return np.sqrt(sum(float(x) ** 2 for x in vector))


def cosine(a, b):
    lengths = length(a), length(b)
    return 0.0 if 0.0 in lengths else sum((a / lengths[0]) * (b / lengths[1]))


def shortened(updates, longest):
    """Every update, the longer ones brought to a length."""
    return np.array([u if length(u) <= longest else u * (longest / length(u)) for u in updates])


def mean_of(rows, mask):
    return shares(mask) @ rows


def components(is_near):
    """The connected components of a graph, as lists of clients."""
    left, found = set(range(len(is_near))), []
    while left:
        group, new = set(), {min(left)}
        while new:
            group |= new
            new = {j for i in new for j in left if is_near[i][j]} - group
        left -= group
        found.append(sorted(group))
    return found


def majority(updates):
    """FLAME's cluster: the first component of the threshold graph with more than half of the clients."""
    n = len(updates)
    distance = np.array([[1 - cosine(a, b) for b in updates] for a in updates])
    for h in [0.0, *sorted(distance[i, j] for i in range(n) for j in range(i))]:
        for group in components(distance <= h + 1e-12):
            if len(group) >= n // 2 + 1:
                return np.isin(np.arange(n), group)
    raise AssertionError("at the largest distance all are one component")


def flame(updates):
    return mean_of(shortened(updates, np.median([length(u) for u in updates])), majority(updates))
