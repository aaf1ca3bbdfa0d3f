"""Naive NumPy references for what becomes of updates that malicious clients have trained, from the papers' formulas."""

import numpy as np


def model_replacement(updates, malicious, scale=None, max_norm=None, server_lr=1.0, num_examples=None):
    sent, m = updates.copy(), malicious.sum()
    sizes = np.ones(len(updates)) if num_examples is None else num_examples
    for i in np.flatnonzero(malicious):
        gamma = sum(sizes) / (server_lr * m * sizes[i]) if scale is None else scale
        length = np.sqrt(sum(updates[i] ** 2))
        if max_norm is not None:
            gamma = max_norm / length if length > 0 else 1.0
        sent[i] = gamma * updates[i]
    return sent


def gradient_ascent(updates, malicious, norm=None, shared=True):
    sent, own = updates.copy(), updates[malicious]
    lengths = [np.sqrt(sum(row**2)) for row in updates[~malicious]]
    if not len(own) or (norm is None and not lengths):
        return sent
    tau = sum(lengths) / len(lengths) if norm is None else norm
    for i in np.flatnonzero(malicious):
        ascent = sum(own) / len(own) if shared else updates[i]
        length = np.sqrt(sum(ascent**2))
        sent[i] = tau * ascent / length if length > 0 else ascent
    return sent
