"""Attacks that ask the rule, in plain NumPy; a rule is a function of the updates."""

import math

import numpy as np


def known(updates, malicious, knowledge):
    if not malicious.any():
        return updates[:0]
    return updates[malicious] if knowledge == "partial" else updates[~malicious]


def asked(rule, updates, malicious, knowledge, vector):
    """The rule's answer where all malicious clients send ``vector``."""
    rows, own, seen = [], [update for update, bad in zip(updates, malicious, strict=True) if bad], 0
    for update, bad in zip(updates, malicious, strict=True):
        if bad:
            rows.append(vector)
        elif knowledge == "partial":
            rows.append(own[seen % len(own)])
            seen += 1
        else:
            rows.append(update)
    return rule(np.array(rows))


def copies(updates, malicious, vector):
    return np.array([vector if bad else update for update, bad in zip(updates, malicious, strict=True)])


def deviation_of(rows, ddof):
    if len(rows) <= ddof:
        return np.zeros(rows.shape[1])
    mean = sum(rows) / len(rows)
    return np.sqrt(sum((row - mean) ** 2 for row in rows) / (len(rows) - ddof))


def two_sided(scape, evaluations=16, delta=1.0, ratio=0.8, cap=1e3):
    best_x, best_y, left = 0.0, scape(0.0), evaluations - 1
    x = best_x
    while left > 0:
        x = min(best_x + delta, cap)
        y, left = scape(x), left - 1
        if y <= best_y:
            delta *= ratio
            break
        best_x, best_y, delta = x, y, 2 * delta
    while left > 0:
        if x < best_x:
            x = x + delta
        else:
            lower = x - delta
            while lower < 0:
                lower = (lower + x) / 2
            x = lower
        x = min(x, cap)
        y, left = scape(x), left - 1
        if y > best_y:
            best_x, best_y = x, y
        delta *= ratio
    return best_x, best_y


def byzfl(scape, evaluations=20, delta=10.0, ratio=0.8, cap=1e3):
    best_x, best_y, left = 0.0, scape(0.0), evaluations - 1
    while left > 0:
        x = min(best_x + delta, cap)
        y, left = scape(x), left - 1
        if y <= best_y:
            delta *= ratio
            break
        best_x, best_y, delta = x, y, 2 * delta
    for _ in range(left):
        x = min(best_x + delta, cap)
        y = scape(x)
        if y > best_y:
            best_x, best_y = x, y
        delta *= ratio
    return best_x, best_y


def optimized(updates, malicious, rule, lines, knowledge="full", search="two_sided", **settings):
    """The best of some lines, each a function of the known rows to start and direction."""
    rows = known(updates, malicious, knowledge)
    if len(rows) == 0:
        return updates.copy()
    mean, worst, chosen = sum(rows) / len(rows), -math.inf, None
    for line in lines:
        start, direction = line(rows)

        def harm(t, start=start, direction=direction):
            return np.linalg.norm(asked(rule, updates, malicious, knowledge, start + t * direction) - mean)

        best, found = {"two_sided": two_sided, "byzfl": byzfl}[search](harm, **settings)
        if found > worst:
            worst, chosen = found, start + best * direction
    return copies(updates, malicious, chosen)


def optimized_alie(updates, malicious, rule, sign="both", ddof=0, **settings):
    minus = lambda rows: (rows.mean(axis=0), -deviation_of(rows, ddof))  # noqa: E731
    plus = lambda rows: (rows.mean(axis=0), deviation_of(rows, ddof))  # noqa: E731
    lines = {"both": [minus, plus], "minus": [minus], "plus": [plus]}
    return optimized(updates, malicious, rule, lines[sign], **settings)


def optimized_ipm(updates, malicious, rule, **settings):
    line = lambda rows: (np.zeros(rows.shape[1]), -rows.mean(axis=0))  # noqa: E731
    return optimized(updates, malicious, rule, [line], **settings)
