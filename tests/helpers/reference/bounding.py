"""Rules that bound what an update can do: geometric medians, clipping, signs, in NumPy."""

import math

import numpy as np


def geometric_median_weights(
    updates, shares, num_steps=100, smoothing=1e-6, relative=False, tolerance=1e-10, start="mean"
):
    """Weights of the mean that the smoothed Weiszfeld iteration ends with."""
    if shares.sum() == 0:
        return np.zeros(len(updates))
    alpha = shares / shares.sum()
    weights = alpha
    center = alpha @ updates if start == "mean" else np.zeros(updates.shape[1])
    typical = np.median([np.linalg.norm(g - updates[np.argmin(np.linalg.norm(updates, axis=1))]) for g in updates])
    for _ in range(num_steps):
        distances = np.array([np.linalg.norm(center - g) for g in updates])
        nu = smoothing * np.median(distances) if relative else smoothing
        # The catalogue's floor under distances that come from inner products.
        weights = alpha / np.maximum(distances, max(nu, 1e-7 * typical, 1e-300))
        weights = weights / weights.sum()
        center = weights @ updates
        moved = np.linalg.norm(updates - center, axis=1)
        if np.median(abs(moved - distances)) <= tolerance * np.median(moved):
            break
    return weights


def geometric_median(updates, shares, **settings):
    return geometric_median_weights(updates, shares, **settings) @ updates


def centered_clipping(updates, center=None, max_norm=1.0, num_steps=1, relative=False):
    center = np.zeros(updates.shape[1]) if center is None else center
    for _ in range(num_steps):
        differences = [update - center for update in updates]
        lengths = [np.linalg.norm(difference) for difference in differences]
        bound = max_norm * np.median(lengths) if relative else max_norm
        clipped = [
            difference if length <= bound else difference * (bound / length)
            for difference, length in zip(differences, lengths, strict=True)
        ]
        center = center + sum(clipped) / len(updates)
    return center


def centered_clipping_rounds(rounds, f, **settings):
    found, center = [], None
    for updates, *_ in rounds:
        center = centered_clipping(updates, center, **settings)
        found.append(center)
    return found


def majority(updates, step):
    votes = [sum(np.sign(value) for value in column) for column in updates.T]
    return step * np.array([np.sign(vote) for vote in votes])


def turned_around(updates, aggregate, threshold):
    result = []
    for column, value in zip(updates.T, aggregate, strict=True):
        agreement = abs(sum(1 if entry > 0 else -1 if entry < 0 else 0 for entry in column))
        result.append(value if agreement >= threshold else -value)
    return np.array(result)


def clipped(updates, max_norm):
    lengths = [np.linalg.norm(update) for update in updates]
    return np.array(
        [
            update if length <= max_norm else update * (max_norm / length)
            for update, length in zip(updates, lengths, strict=True)
        ]
    )


def rescaled(updates):
    lengths = np.array([np.linalg.norm(update) for update in updates])
    if not lengths.any():
        return updates
    length = np.median(lengths[lengths > 0])
    return np.array([update * (length / own) if own else update for update, own in zip(updates, lengths, strict=True)])


def arc(updates, f):
    n = len(updates)
    k = (2 * f * (n - f)) // n
    longest_first = sorted((np.linalg.norm(update) for update in updates), reverse=True)
    return clipped(updates, longest_first[k]) if k else updates


def crfl(aggregate, parameters, max_norm):
    model = aggregate + parameters
    return model / max(1.0, np.linalg.norm(model) / max_norm) - parameters


def afa_kept(updates, counted, allowed=None, xi=2.0, dxi=0.5):
    """Indices of the updates in the mean of adaptive federated averaging."""
    kept = list(range(len(updates))) if allowed is None else list(allowed)
    while kept:
        total = sum(counted[i] for i in kept)
        mean = sum(counted[i] / total * updates[i] for i in kept) if total else np.zeros(updates.shape[1])
        cosines = {}
        for i in kept:
            lengths = np.linalg.norm(updates[i]) * np.linalg.norm(mean)
            cosines[i] = updates[i] @ mean / lengths if lengths else 0.0
        values = list(cosines.values())
        middle, far = np.median(values), xi * np.std(values) + 1e-12
        if np.mean(values) < middle:
            out = [i for i in kept if cosines[i] < middle - far]
        else:
            out = [i for i in kept if cosines[i] > middle + far]
        if not out:
            break
        kept, xi = [i for i in kept if i not in out], xi + dxi
    return kept


def afa_weights(updates, counted, kept):
    total = sum(counted[i] for i in kept)
    return np.array([counted[i] / total if i in kept and total else 0.0 for i in range(len(updates))])


def afa(updates, sizes):
    return afa_weights(updates, sizes, afa_kept(updates, sizes)) @ updates


def probability_below_half(a, b):
    """That a beta variable is below 1/2: that ``a`` or more of ``a + b - 1`` coins show heads."""
    tosses = a + b - 1
    return sum(math.comb(tosses, heads) for heads in range(a, tosses + 1)) / 2**tosses


def afa_rounds(rounds, f=None, prior=3, certainty=0.95):
    good, bad, found = {}, {}, []
    for updates, _, sizes, ids, *_ in rounds:
        alpha = [prior + good.get(client, 0) for client in ids]
        beta = [prior + bad.get(client, 0) for client in ids]
        counted = [size * a / (a + b) for size, a, b in zip(sizes, alpha, beta, strict=True)]
        allowed = [i for i in range(len(ids)) if probability_below_half(alpha[i], beta[i]) <= certainty]
        kept = afa_kept(updates, counted, allowed)
        for i in allowed:
            counts = good if i in kept else bad
            counts[ids[i]] = counts.get(ids[i], 0) + 1
        found.append(afa_weights(updates, counted, kept) @ updates)
    return found


MLP = [(5, 12), (5,), (3, 5), (3,)]
SHAPES = {83: MLP, 89: [*MLP, (3,), (3,)]}
"""Shapes of the parameter tensors of `tiny.mlp`, alone and before a batch normalisation, by how many numbers they hold.

Rules that go by tensor take any other update for one matrix.
"""


def deviations(values):
    spread = np.std(values)
    return abs(values - np.median(values)) / spread if spread > 1e-12 * abs(values).max() else np.zeros(len(values))


def lasa(updates, sparsity=0.3, norm_bound=1.0, sign_bound=1.0, average="sparse"):
    d = updates.shape[1]
    clipped_rows = clipped(updates, np.median([np.linalg.norm(update) for update in updates]))
    shapes = SHAPES.get(d, [(d, 1)])
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    starts = [0, *ends[:-1]]
    is_weight = np.concatenate([np.full(np.prod(shape), len(shape) in (2, 4)) for shape in shapes])
    sparse = clipped_rows.copy()
    for row, original in zip(sparse, updates, strict=True):
        weights = sorted(abs(original[is_weight]), reverse=True)
        k = max(1, int((1 - sparsity) * len(weights) + 1e-9))
        if sparsity:
            row[is_weight & (abs(original) <= weights[k - 1])] = 0.0
    result = np.zeros(d)
    for start, end in zip(starts, ends, strict=True):
        part = sparse[:, start:end]
        signs, counts = np.sign(part).sum(axis=1), abs(np.sign(part)).sum(axis=1)
        positive = np.array(
            [
                0.5 * (1 + (1 - sparsity) * (sign / count if count else 0.0))
                for sign, count in zip(signs, counts, strict=True)
            ]
        )
        norms = np.array([np.linalg.norm(row) for row in part])
        keep = (deviations(norms) < norm_bound - 1e-9) & (deviations(positive) < sign_bound - 1e-9)
        chosen = sparse if average == "sparse" else clipped_rows
        result[start:end] = chosen[keep if keep.any() else slice(None), start:end].mean(axis=0)
    return result
