"""Rules that measure updates by data of the server's own, in NumPy."""

import numpy as np

from reference.detection import cosine, length, shares


def accepted(updates, root, tolerance=1.5):
    """AFLGuard's shares."""
    return shares([length(u - root) <= tolerance * length(root) for u in updates])


def aflguard(updates, root, tolerance=1.5):
    return accepted(updates, root, tolerance) @ updates


def flod_weights(updates, root, tolerance=0.5):
    most = int(np.floor(tolerance * len(root)))
    return shares([max(0, most - sum((x > 0) != (y > 0) for x, y in zip(u, root, strict=True))) for u in updates])


def flod(updates, root, step, tolerance=0.5):
    return step * flod_weights(updates, root, tolerance) @ np.sign(updates)


def fltg_weights(updates, root, last):
    kept = [i for i, update in enumerate(updates) if cosine(update, root) > 0]
    weights = np.zeros(len(updates))
    if kept:
        furthest = min(kept, key=lambda i: cosine(updates[i], last))
        for i in kept:
            apart = 1 - cosine(updates[i], updates[furthest])
            weights[i] = apart if apart > 1e-10 else 0.0
        if not weights.any():
            weights[kept] = 1.0
    return shares(weights)


def fltg(rounds):
    """The aggregates of rounds, each of updates and a root update."""
    found, last = [], None
    for updates, root in rounds:
        weights = fltg_weights(updates, root, np.zeros(len(root)) if last is None else last)
        last = root
        if weights.any():
            last = sum(w * length(root) / length(u) * u for w, u in zip(weights, updates, strict=True) if w)
        found.append(last)
    return found
