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


def larger_cluster(updates):
    """ClippedClustering's: average linkage down to two clusters, each average taken anew."""

    def apart(a, b):
        return 2.0 if not length(updates[a]) or not length(updates[b]) else 1 - cosine(updates[a], updates[b])

    n = len(updates)
    distance = [[apart(a, b) for b in range(n)] for a in range(n)]
    clusters = [[i] for i in range(n)]
    while len(clusters) > 2:
        pairs = [(i, j) for j in range(len(clusters)) for i in range(j)]
        i, j = min(pairs, key=lambda ij: np.mean([distance[a][b] for a in clusters[ij[0]] for b in clusters[ij[1]]]))
        clusters[i] += clusters.pop(j)
    largest = max(clusters, key=lambda cluster: (len(cluster), -sum(length(updates[i]) for i in cluster)))
    return np.isin(np.arange(n), largest)


def clipped_clustering(rounds):
    found, lengths = [], []
    for updates in rounds:
        lengths += [length(u) for u in updates]
        found.append(mean_of(shortened(updates, np.median(lengths)), larger_cluster(updates)))
    return found


def mean_shift(points):
    """The largest cluster; points in none are not in it."""

    def around(center):
        return [i for i, point in enumerate(points) if length(point - center) <= bandwidth]

    nth = max(len(points) // 2, 1) - 1
    bandwidth = np.mean([sorted(length(p - q) for q in points)[nth] for p in points]) * (1 + 1e-9)
    if bandwidth == 0:
        return np.ones(len(points), dtype=bool)
    centers = list(points)
    for _ in range(300):
        moved = [points[around(center)].mean(axis=0) for center in centers]
        shift = max(np.abs(a - b).max() for a, b in zip(moved, centers, strict=True))
        centers = moved
        if shift <= 1e-3 * bandwidth:
            break
    centers.sort(key=lambda center: (len(around(center)), *np.round(center, 9)), reverse=True)
    kept = []
    for center in centers:
        if all(length(center - other) > bandwidth for other in kept):
            kept.append(center)
    members = [[] for _ in kept]
    for i, point in enumerate(points):
        distances = [length(point - center) for center in kept]
        if min(distances) <= bandwidth:
            members[distances.index(min(distances))].append(i)
    return np.isin(np.arange(len(points)), max(members, key=len))


def guarded(updates, block, last, feature):
    """Whom SignGuard keeps."""
    lengths = np.array([length(u) for u in updates])
    ordinary = (0.1 * np.median(lengths) < lengths) & (lengths < 3 * np.median(lengths))
    features = [[np.mean(u[block] > 0), np.mean(u[block] == 0), np.mean(u[block] < 0)] for u in updates]
    if feature != "none" and last is not None:
        compare = {"cosine": cosine, "distance": lambda a, b: length(a - b)}[feature]
        features = [[*own, compare(u, last)] for own, u in zip(features, updates, strict=True)]
    features = np.array(features)
    both = ordinary & mean_shift(features / (np.abs(features).max(axis=0) + 1e-8))
    return both if both.any() else ordinary


def signguard(rounds, feature="none"):
    """The aggregates of rounds, each of updates and the block of coordinates whose signs count."""
    found, last = [], None
    for updates, block in rounds:
        kept = guarded(updates, block, last, feature)
        last = mean_of(shortened(updates, np.median([length(u) for u in updates])), kept)
        found.append(last)
    return found
