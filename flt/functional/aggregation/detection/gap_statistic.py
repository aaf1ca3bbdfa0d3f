"""Whether numbers fall into clusters, by the gap statistic, and the upper one of two."""

import numpy as np

MOST_CLUSTERS = 7
NUM_REFERENCES = 10
SMALLEST = 1e-12  # of squares of numbers between 0 and 1: dispersions below are rounding


def upper_cluster(values: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The upper of two clusters of numbers, boolean of shape ``[n]``; none of them where they are one cluster.

    They are one cluster where that is the first number k of clusters with ``Gap(k) >= Gap(k + 1) - s_(k+1)``. The gap
    is the mean logarithm of the references' dispersions over k clusters, less that of the values, scaled to [0, 1].

    Args:
        values: Shape ``[n]``.
        references: Numbers drawn uniformly from [0, 1), shape ``[num_references, n]``.
    """
    nobody = np.zeros(len(values), dtype=bool)
    if len(values) < 3 or values.max() <= values.min():
        return nobody
    scaled = (values - values.min()) / (values.max() - values.min())
    ordered = np.sort(scaled)
    own = np.log(_dispersions(ordered))
    others = np.log([_dispersions(np.sort(reference)) for reference in references])
    gaps = others.mean(axis=0) - own
    errors = others.std(axis=0) * np.sqrt(1 + 1 / len(references))
    if gaps[0] >= gaps[1] - errors[1] or not (gaps[:-1] >= gaps[1:] - errors[1:]).any():
        return nobody
    costs = _costs(ordered)
    size = 1 + int((costs[0, :-1] + costs[1:, -1]).argmin())  # of the lower cluster
    found: np.ndarray = scaled >= ordered[size]
    return found


def _dispersions(ordered: np.ndarray) -> np.ndarray:
    """The least sum of squared distances from the means of k clusters, for each k, of numbers in ascending order."""
    costs = _costs(ordered)
    best, found = costs[0], [costs[0, -1]]
    for _ in range(1, min(MOST_CLUSTERS, len(ordered))):
        best = np.concatenate([[np.inf], (best[:-1, None] + costs[1:, 1:]).min(axis=0)])
        found.append(best[-1])
    return np.maximum(found, SMALLEST)


def _costs(ordered: np.ndarray) -> np.ndarray:
    """Sum of squared distances from their mean of the numbers i to j, shape ``[n, n]``; infinite where i > j."""
    sums, squares = (np.concatenate([[0.0], np.cumsum(ordered**power)]) for power in (1, 2))
    first, last = np.arange(len(ordered))[:, None], np.arange(len(ordered))[None, :]
    counts = np.maximum(last - first + 1, 1)
    costs = squares[None, 1:] - squares[:-1, None] - (sums[None, 1:] - sums[:-1, None]) ** 2 / counts
    return np.where(first <= last, np.maximum(costs, 0.0), np.inf)
