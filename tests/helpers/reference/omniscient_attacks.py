"""Attacks that know the benign updates, in plain NumPy."""

import math

import numpy as np


def known(updates, malicious, knowledge):
    if knowledge == "partial":
        return updates[malicious]
    return updates[~malicious] if malicious.any() else updates[:0]


def sent(updates, malicious, crafted):
    result = updates.copy()
    for place, row in zip(np.flatnonzero(malicious), crafted, strict=True):
        result[place] = row
    return result


def copies(updates, malicious, vector):
    return sent(updates, malicious, [vector] * int(malicious.sum()))


def deviation_of(rows, ddof):
    found = np.zeros(rows.shape[1])
    for j in range(rows.shape[1]):
        mean = sum(rows[:, j]) / len(rows)
        total = sum((x - mean) ** 2 for x in rows[:, j])
        found[j] = math.sqrt(total / (len(rows) - ddof)) if len(rows) > ddof else 0.0
    return found


def normal_quantile(p):
    """Where the normal distribution's function is p >= 0.5, by bisection."""
    low, high = 0.0, 40.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + math.erf(middle / math.sqrt(2))) / 2 < p else (low, middle)
    return low


def alie_shift(n, m):
    if m == n:
        return 0.0
    s = max(math.floor(n / 2 + 1) - m, 1)
    p = (n - m - s) / (n - m)
    return 0.0 if p <= 0.5 else normal_quantile(p)


def alie(updates, malicious, knowledge="full", z=1.5, sign="minus", ddof=0):
    rows = known(updates, malicious, knowledge)
    if len(rows) == 0:
        return updates.copy()
    if z == "formula":
        z = alie_shift(len(updates), int(malicious.sum()))
    factor = {"minus": -z, "plus": z}[sign]
    return copies(updates, malicious, rows.mean(axis=0) + factor * deviation_of(rows, ddof))


def ipm(updates, malicious, knowledge="full", epsilon=0.1):
    rows = known(updates, malicious, knowledge)
    return updates.copy() if len(rows) == 0 else copies(updates, malicious, -epsilon * rows.mean(axis=0))
