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
