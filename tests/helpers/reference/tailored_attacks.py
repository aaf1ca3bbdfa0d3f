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


def unit(vector):
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else np.zeros(len(vector))


def min_max_gamma(rows, direction):
    """The largest gamma at which ``mean + gamma direction`` is within the largest distance of every row, by halving."""
    mean, bound = sum(rows) / len(rows), max(np.sum((a - b) ** 2) for a in rows for b in rows)
    if not direction.any() or bound == 0:
        return 0.0
    low, high = 0.0, 2 * math.sqrt(bound) / np.linalg.norm(direction)
    for _ in range(200):
        middle = (low + high) / 2
        fits = max(np.sum((mean + middle * direction - row) ** 2) for row in rows) <= bound
        low, high = (middle, high) if fits else (low, middle)
    return low


def tailored_attack(
    updates, malicious, rule, knowledge="full", perturbation="std", objective="auto", gamma_init=None, evaluations=20
):
    rows = known(updates, malicious, knowledge)
    if len(rows) == 0:
        return updates.copy()
    mean, deviation = sum(rows) / len(rows), deviation_of(rows, 0)
    directions = {"std": deviation, "minus_std": -deviation, "sign": -np.sign(mean), "unit": -unit(mean)}
    direction = directions[perturbation]
    first = min_max_gamma(rows, direction) / 2 if gamma_init is None else gamma_init
    if first == 0 or not direction.any():
        return copies(updates, malicious, mean)

    def answer(gamma):
        return asked(rule, updates, malicious, knowledge, mean + gamma * direction)

    stand_ins = np.array([update for update, bad in zip(updates, malicious, strict=True) if bad])
    honest, places = updates.copy(), np.cumsum(malicious) - 1
    for i, bad in enumerate(malicious):
        if knowledge == "partial" and not bad:
            honest[i] = stand_ins[(i - places[i] - 1) % len(stand_ins)]
    answered = rule(honest)
    if objective == "auto" and any((row == answered).all() for row in honest):
        gamma, step, best = first, first / 2, 0.0
        for _ in range(evaluations):
            if (answer(gamma) == mean + gamma * direction).all():
                best, gamma = gamma, gamma + step
            else:
                gamma -= step
            step /= 2
    else:
        best, _ = two_sided(
            lambda gamma: np.linalg.norm(answer(gamma) - mean), evaluations, delta=first, cap=1e3 * first
        )
    return copies(updates, malicious, mean + best * direction)


def orthogonal(vectors, direction):
    for vector in vectors:
        rest = vector - np.dot(vector, direction) * direction
        if np.linalg.norm(rest) > 1e-9 * np.linalg.norm(vector):
            return unit(rest - np.dot(rest, direction) * direction)
    return np.zeros(len(direction))


def cosine_attack(updates, malicious, root, rule, knowledge="full", perturbation="sign", cosines=None):
    rows = known(updates, malicious, knowledge)
    if len(rows) == 0 or not root.any():
        return updates.copy()
    mean, deviation, length = sum(rows) / len(rows), deviation_of(rows, 0), np.linalg.norm(root)
    small = (np.arange(len(root)) == np.argmin(np.abs(root))).astype(float)
    leaning = {"sign": [-np.sign(mean), deviation, small], "std": [deviation, -np.sign(mean), small]}
    across = orthogonal(leaning[perturbation], unit(root))
    worst, best = -math.inf, None
    for side in {"sign": [1], "std": [1, -1]}[perturbation]:
        for c in [0.05 + 0.1 * k for k in range(10)] if cosines is None else cosines:
            vector = length * (c * unit(root) + side * math.sqrt(1 - c**2) * across)
            harm = np.linalg.norm(asked(rule, updates, malicious, knowledge, vector) - mean)
            if harm > worst * (1 + 1e-6):
                worst, best = harm, vector
    return copies(updates, malicious, best)
