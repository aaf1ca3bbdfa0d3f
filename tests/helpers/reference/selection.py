"""References of the rules that choose some of the updates, written from the catalogue of rules and nothing else.

Most give each client's share of the aggregate; `mean` makes the aggregate of them.
"""

from itertools import combinations

import numpy as np


def squared(a, b):
    return float(np.sum((a - b) ** 2))


def mean(rows, shares):
    return sum(share * row for share, row in zip(shares, rows, strict=True))


def shares_of(chosen, num_clients):
    return np.array([1 / len(chosen) if i in chosen else 0.0 for i in range(num_clients)])


def scores_among(rows, left, num_neighbours):
    """Krum scores of the rows with indices ``left``, by index."""
    found = {}
    for i in left:
        others = sorted(squared(rows[i], rows[j]) for j in left if j != i)
        found[i] = sum(others[: max(0, num_neighbours)])
    return found


def best(scores, count):
    return sorted(scores, key=lambda i: (scores[i], i))[:count]


def multi_krum(rows, f, num_selected=None, num_neighbours=None, iterative=False):
    n = len(rows)
    if not iterative:
        scores = scores_among(rows, range(n), n - f - 2 if num_neighbours is None else num_neighbours)
        return shares_of(best(scores, n - f if num_selected is None else num_selected), n)
    left, chosen = list(range(n)), []
    while len(chosen) < (n - 2 * f - 2 if num_selected is None else num_selected):
        scores = scores_among(rows, left, len(left) - f - 3 if num_neighbours is None else num_neighbours)
        chosen += best(scores, 1)
        left.remove(chosen[-1])
    return shares_of(chosen, n)


def around_median(column, count):
    """Mean of the ``count`` values closest to the median; of equally close ones the lower."""
    middle = float(np.median(column))
    closest = sorted(column, key=lambda value: (abs(value - middle), value))[:count]
    return sum(closest) / count


def meamed(rows, f):
    return np.array([around_median(column, len(rows) - f) for column in rows.T])


def bulyan_choice(rows, f):
    left, chosen = list(range(len(rows))), []
    while len(chosen) < len(rows) - 2 * f:
        scores = scores_among(rows, left, max(1, len(left) - f - 2))
        chosen += best(scores, 1)
        left.remove(chosen[-1])
    return chosen


def bulyan(rows, f, values=None):
    """``values`` are what the coordinates are taken of; the rows themselves, unless given."""
    selected = (rows if values is None else values)[bulyan_choice(rows, f)]
    return np.array([around_median(column, len(selected) - 2 * f) for column in selected.T])


def monna(rows, pivot, f):
    distances = {i: squared(row, pivot) for i, row in enumerate(rows)}
    return shares_of(best(distances, len(rows) - f), len(rows))


def along_top_direction(rows, weights):
    """Each row's squared length, from the weighted mean, along the direction of largest variance; and that variance."""
    weights = np.array(weights) / sum(weights)
    centred = rows - weights @ rows
    _, deviations, directions = np.linalg.svd(centred * np.sqrt(weights)[:, None], full_matrices=False)
    return (centred @ directions[0]) ** 2, deviations[0] ** 2


def dnc_scores(rows):
    return along_top_direction(rows, np.ones(len(rows)))[0]


def dnc(rows, f, filter_fraction=1.0, coordinates=None):
    repetitions = [range(rows.shape[1])] if coordinates is None else coordinates
    times = dict.fromkeys(range(len(rows)), 0)
    for chosen in repetitions:
        scores = dict(enumerate(dnc_scores(rows[:, list(chosen)])))
        for i in best(scores, len(rows) - int(filter_fraction * f)):
            times[i] += 1
    return shares_of([i for i in times if times[i] == max(times.values())], len(rows))


def caf(rows, f, compare_dropped=True):
    n = len(rows)
    left, found = np.ones(n), []
    while not found or (left.sum() > n - 2 * f and len(found) < 4 * n):
        lengths, variance = along_top_direction(rows, left)
        found.append((variance, left / left.sum()))
        largest = max(length for length, weight in zip(lengths, left, strict=True) if weight > 0 or compare_dropped)
        if variance <= 1e-12 * np.var(rows, axis=0).sum():
            break
        left = np.array([weight * max(0.0, 1 - length / largest) for length, weight in zip(lengths, left, strict=True)])
    return min(found, key=lambda each: each[0])[1]


def gas(rows, rule, f, chunk_of):
    scores = dict.fromkeys(range(len(rows)), 0.0)
    for chunk in set(chunk_of):
        part = rows[:, np.array(chunk_of) == chunk]
        centre = rule(part)
        for i in scores:
            scores[i] += squared(part[i], centre) ** 0.5
    return shares_of(best(scores, len(rows) - f), len(rows))


def foundation(rows, num_synthetic):
    """The mixing matrix."""
    extremes = rows.max(axis=0), rows.min(axis=0)
    scores = [min(squared(row, extreme) for extreme in extremes) for row in rows]
    chosen = scores.index(max(scores))
    return np.eye(len(rows))[[*range(len(rows)), *[chosen] * num_synthetic]]


def mda(rows, f):
    distances = {pair: squared(rows[pair[0]], rows[pair[1]]) for pair in combinations(range(len(rows)), 2)}

    def diameter(chosen):
        return max((distances[pair] for pair in combinations(chosen, 2)), default=0.0)

    return shares_of(min(combinations(range(len(rows)), len(rows) - f), key=diameter), len(rows))


def smea(rows, f):
    def variance(chosen):
        return round(along_top_direction(rows[list(chosen)], np.ones(len(chosen)))[1], 12)

    return shares_of(min(combinations(range(len(rows)), len(rows) - f), key=variance), len(rows))
