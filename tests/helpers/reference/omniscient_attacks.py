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


def perturbation_of(rows, perturbation):
    mean = rows.mean(axis=0)
    if perturbation == "unit":
        length = np.linalg.norm(mean)
        return -mean / length if length > 0 else 0.0 * mean
    return {"std": deviation_of(rows, 0), "minus_std": -deviation_of(rows, 0), "sign": -np.sign(mean)}[perturbation]


def largest_stretch(is_hidden, direction):
    """By doubling and halving, to the last digit; the feasible stretches are an interval from 0."""
    if not direction.any():
        return 0.0
    low, high = 0.0, 1e-12
    while is_hidden(high):
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if is_hidden(middle) else (low, middle)
    return low


def bisection(is_hidden, gamma_init):
    gamma, step, succ = gamma_init, gamma_init / 2, 0.0
    while abs(succ - gamma) > 1e-5:
        if is_hidden(gamma):
            succ, gamma = gamma, gamma + step
        else:
            gamma -= step
        step /= 2
    return succ


def off_the_mean(updates, malicious, rows, perturbation, excess, search, gamma_init):
    """``mean + gamma p`` with the largest gamma of which ``excess`` is not above 0."""
    mean, direction = rows.mean(axis=0), perturbation_of(rows, perturbation)

    def is_hidden(gamma):
        return excess(mean + gamma * direction) <= 0

    gamma = largest_stretch(is_hidden, direction) if search == "closed" else bisection(is_hidden, gamma_init)
    return copies(updates, malicious, mean + gamma * direction)


def square(vector):
    return sum(float(x) ** 2 for x in vector)


def min_max(updates, malicious, knowledge="full", perturbation="std", search="closed", gamma_init=10.0):
    rows = known(updates, malicious, knowledge)
    if len(rows) == 0:
        return updates.copy()
    bound = max(square(a - b) for a in rows for b in rows)
    excess = lambda vector: max(square(vector - row) for row in rows) - bound  # noqa: E731
    return off_the_mean(updates, malicious, rows, perturbation, excess, search, gamma_init)


def min_sum(updates, malicious, knowledge="full", perturbation="std", bound="max", search="closed", gamma_init=10.0):
    rows = known(updates, malicious, knowledge)
    if len(rows) == 0:
        return updates.copy()
    limit = {"max": max, "min": min}[bound](sum(square(a - b) for b in rows) for a in rows)
    excess = lambda vector: sum(square(vector - row) for row in rows) - limit  # noqa: E731
    return off_the_mean(updates, malicious, rows, perturbation, excess, search, gamma_init)


def byz_mean(updates, malicious, knowledge="full", z=0.5, ddof=0):
    rows, n, m = known(updates, malicious, knowledge), len(updates), int(malicious.sum())
    if len(rows) == 0:
        return updates.copy()
    first = rows.mean(axis=0) - z * deviation_of(rows, ddof)
    m1 = m // 2
    others = (n - m) * rows.mean(axis=0)  # the sum of the benign updates, or what the attackers take it to be
    second = ((n - m1) * first - others) / (m - m1)
    return sent(updates, malicious, [first] * m1 + [second] * (m - m1))


def unit(vector):
    length = math.sqrt(square(vector))
    return vector / length if length > 0 else vector


def mimic(given, draws, warmup_rounds=1, pick="largest"):
    """What is sent in rounds that follow one another, each given as (updates, malicious, client ids, parameters)."""
    mean, z, client, t, result = None, None, None, 0, []
    for (updates, malicious, client_ids, _), draw in zip(given, draws, strict=True):
        rows, ids = known(updates, malicious, "full"), client_ids[~malicious].tolist()
        if len(rows) == 0:
            result.append(updates.copy())
            continue
        is_learning = t < warmup_rounds
        if is_learning:
            z = draw.normal(updates.shape[1]) if t == 0 else z
            mean = rows.mean(axis=0) if t == 0 else t / (1 + t) * mean + rows.mean(axis=0) / (1 + t)
            c = unit(sum(np.dot(row - mean, z) * (row - mean) for row in rows))
            z = c if t == 0 else unit(t / (1 + t) * z + c / (1 + t))
            t += 1
        scores = [np.dot(row, z) * (1 if pick == "largest" else -1) for row in rows]
        best = ids[int(np.argmax(scores))]
        client = best if is_learning else client
        copied = client if client in ids else best
        result.append(copies(updates, malicious, rows[ids.index(copied)]))
    return result


def beside(vector, direction):
    left = vector - np.dot(vector, direction) * direction
    return unit(left) if np.linalg.norm(left) > 1e-6 * np.linalg.norm(vector) else 0 * vector


def rop(given, draws, knowledge="full", z="formula", angle=90.0, location_share=1.0, reference_share=0.9):
    """What is sent in rounds that follow one another; the server's learning rate is 1."""
    before, result = None, []
    for (updates, malicious, _, parameters), draw in zip(given, draws, strict=True):
        a = parameters - before if before is not None else 0 * parameters
        before, rows = parameters, known(updates, malicious, knowledge)
        if len(rows) == 0:
            result.append(updates.copy())
            continue
        mu, ones = rows.mean(axis=0), np.ones(updates.shape[1])
        length = alie_shift(len(updates), int(malicious.sum())) if z == "formula" else z
        ref = unit(reference_share * a + (1 - reference_share) * mu)
        q = beside(ones, ref)
        if not q.any():
            q = beside(draw.normal(len(ones)), ref)
        direction = q * math.sin(math.radians(angle)) + ref * math.cos(math.radians(angle))
        direction = direction if ref.any() else unit(ones)
        location = location_share * a + (1 - location_share) * mu
        result.append(copies(updates, malicious, location + length * direction))
    return result


def trapsetter(given, draws, target, knowledge="full", scale=1.0):
    """What is sent in rounds that follow one another, on the way to a model of which every parameter is ``target``."""
    result = []
    for updates, malicious, _, parameters in given:
        rows, n, m = known(updates, malicious, knowledge), len(updates), int(malicious.sum())
        if len(rows) == 0:
            result.append(updates.copy())
            continue
        vector = scale * n / m * (target - parameters) - (n - m) / m * rows.mean(axis=0)
        result.append(copies(updates, malicious, vector))
    return result
