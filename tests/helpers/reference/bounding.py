"""Rules that bound what an update can do: geometric medians, clipping, signs, in NumPy."""

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


def arc(updates, f):
    n = len(updates)
    k = (2 * f * (n - f)) // n
    longest_first = sorted((np.linalg.norm(update) for update in updates), reverse=True)
    return clipped(updates, longest_first[k]) if k else updates
