"""References of the rules that choose some of the updates, written from the catalogue of rules and nothing else.

Most give each client's share of the aggregate; `mean` makes the aggregate of them.
"""

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
