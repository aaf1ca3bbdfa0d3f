"""Rules that look for attackers: clusters, histories, reputations, in NumPy."""

import numpy as np


def shares(weights):
    """Weights, or a mask, that add up to 1."""
    weights = np.asarray(weights, dtype=float)
    return weights / weights.sum() if weights.sum() else weights


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


def foolsgold_weights(histories, confidence=1.0):
    n = len(histories)
    alike = np.array([[0.0 if i == j else cosine(histories[i], histories[j]) for j in range(n)] for i in range(n)])
    most = [max(row) for row in alike]
    pardoned = alike.copy()
    for i in range(n):
        for j in range(n):
            if most[j] > most[i]:
                pardoned[i, j] = alike[i, j] * most[i] / most[j]
    unlike = np.clip([1 - max(row) for row in pardoned], 0.0, 1.0)
    unlike[unlike <= 1e-10] = 0.0  # the same direction, but for rounding
    unlike[[not length(h) for h in histories]] = 0.0
    if not unlike.any():
        return unlike
    weights = []
    for share in np.minimum(unlike / unlike.max(), 0.99):
        weights.append(0.0 if share == 0 else min(1.0, max(0.0, confidence * (np.log(share / (1 - share)) + 0.5))))
    return np.array(weights)


def foolsgold(rounds, confidence=1.0, normalize=True, rescale=False):
    """The aggregates of rounds, each of updates and whose they are."""
    history, found = {}, []
    for updates, ids in rounds:
        units = shortened(updates, 1.0)
        for client, unit in zip(ids, units, strict=True):
            history[client] = history.get(client, 0.0) + unit
        weights = foolsgold_weights([history[client] for client in ids], confidence)
        total = sum(w * u for w, u in zip(weights, units if rescale else updates, strict=True))
        found.append(total / len(ids) if normalize else total)
    return found
