"""Naive NumPy references for the attacks that know no other client's update, written from the papers' formulas."""

import numpy as np

from reference import replace_rows


def sign_flip(updates, malicious, variant="own", scale=1.0, knowledge="full"):
    sent = updates.copy()
    known = [row for row, bad in zip(updates, malicious, strict=True) if bad == (knowledge == "partial")]
    if variant == "mean" and (not known or not malicious.any()):
        return sent
    for i in np.flatnonzero(malicious):
        sent[i] = -scale * (updates[i] if variant == "own" else sum(known) / len(known))
    return sent


def noise(updates, malicious, draws, placement="replace", mean=0.0, scale=1.0, relative=False, shared=False):
    """``draws``, a row for each malicious client or one that they share, have mean 0 and scale 1."""
    sent, unit = updates.copy(), 1.0
    if relative and malicious.any():
        center = sum(updates[malicious]) / malicious.sum()
        unit = np.sqrt(sum(center**2) / len(center))
    for rank, i in enumerate(np.flatnonzero(malicious)):
        own = draws[0 if shared else rank]
        sent[i] = (updates[i] if placement == "add" else 0.0) + unit * (mean + scale * own)
    return sent


def constant(updates, malicious, value):
    return replace_rows(updates, malicious, np.full(updates.shape[1], value))
