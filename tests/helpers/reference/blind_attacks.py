"""Naive NumPy references for the attacks that know no other client's update, written from the papers' formulas."""

import math

import numpy as np

from reference import replace_rows


def sign_flip(updates, malicious, variant="own", scale=1.0, knowledge="full"):
    sent = updates.copy()
    known = [row for row, bad in zip(updates, malicious, strict=True) if bad == (knowledge == "partial")]
    if variant == "mean" and (not known or not malicious.any()):
        return sent
    for i in np.flatnonzero(malicious):
        turned = {"own": -updates[i], "ascent": updates[i], "mean": -sum(known) / max(len(known), 1)}
        sent[i] = scale * turned[variant]
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


def free_rider_rounds(given, draws, variant="disguised", sigma=None, gamma=1.0):
    result, first_sent = [], {}
    for t, (updates, malicious, ids, w) in enumerate(given):
        step = w - given[t - 1][3] if t else np.zeros_like(w)
        if sigma is None and step.any():
            sigma = np.sqrt(np.mean((step - step.mean()) ** 2))
        sent, fading = updates.copy(), (sigma or 0.0) * (t + 1) ** -gamma
        noise = np.zeros((int(malicious.sum()), len(w)))
        if variant in ("disguised", "advanced") and fading:
            noise = fading * draws[t].normal(*noise.shape)
        for rank, i in enumerate(np.flatnonzero(malicious)):
            first_sent.setdefault(ids[i], updates[i])
            sent[i] = {
                "plain": np.zeros_like(w),
                "disguised": noise[rank],
                "delta": step,
                "advanced": step + noise[rank],
                "lazy": first_sent[ids[i]],
            }[variant]
        result.append(sent)
    return result


def mpaf_rounds(given, target, scale=1e6):
    return [replace_rows(updates, malicious, scale * (target - w)) for updates, malicious, _, w in given]


def heads_quantile(num_trials, probability):
    """The least q with P(X <= q) >= probability for a fair coin, from whole numbers."""
    total, q = 1, 0
    while total < probability * 2**num_trials:
        q += 1
        total += math.comb(num_trials, q)
    return q


def poisoned_fl_rounds(given, draws, scale=8.0, period=50, shrink=0.7, least_scale=0.5, confidence=0.99):
    result, d = [], len(given[0][3])
    signs = np.where(draws[0].uniform(d) < 0.5, -1.0, 1.0)
    c, k, long_ago = scale, np.zeros(d), given[0][3]
    for t, (updates, malicious, _, w) in enumerate(given):
        if t and t % period == 0:
            moved = [a - b if a != b else a for a, b in zip(w, long_ago, strict=True)]
            count = sum(np.sign(x) == s for x, s in zip(moved, signs, strict=True))
            if k.any() and count < heads_quantile(d, confidence) and shrink * c >= least_scale:
                c *= shrink
            long_ago = w
        crafted = np.zeros(d)
        if t:
            h = w - given[t - 1][3]
            v = abs(h - k * np.linalg.norm(h) / (np.linalg.norm(k) + 1e-9))
            if v.any():
                crafted = c * np.linalg.norm(h) * v / np.linalg.norm(v) * signs
        if malicious.any():
            k = crafted
        result.append(replace_rows(updates, malicious, crafted))
    return result


def sybil_noise(updates, malicious, draws, scale=1.0):
    """``draws`` are random vectors, of which the method of Gram and Schmidt makes orthonormal ones."""
    return updates + zetas(updates, malicious, draws, scale)


def zetas(updates, malicious, draws, scale):
    noise, directions, rows = np.zeros_like(updates), [], np.flatnonzero(malicious)
    for vector in draws:
        rest = vector - sum(np.dot(vector, each) * each for each in directions)
        directions.append(rest / np.linalg.norm(rest))
    for pair in range(len(rows) // 2):
        first, second = rows[2 * pair], rows[2 * pair + 1]
        length = (np.linalg.norm(updates[first]) + np.linalg.norm(updates[second])) / 2
        noise[first] = scale * length * directions[pair % len(directions)]
        noise[second] = -noise[first]
    return noise


def sybil_turns_rounds(given, draws, max_cosine, scale=1.0):
    result, histories = [], {}
    for t, (updates, malicious, ids, _) in enumerate(given):
        sent, rows = updates.copy(), np.flatnonzero(malicious)
        after = {i: histories.get(ids[i], 0.0) + updates[i] for i in rows}
        if len(rows) > 1:
            num_draws = min(len(rows) // 2, updates.shape[1])
            noise = zetas(updates, malicious, draws[t].normal(num_draws, updates.shape[1]), scale)
            for i in rows:
                norms = [np.linalg.norm(after[i]) * np.linalg.norm(after[j]) for j in rows if j != i]
                products = [after[i] @ after[j] for j in rows if j != i]
                if max(p / n if n else 0.0 for p, n in zip(products, norms, strict=True)) > max_cosine:
                    sent[i] = noise[i]
        for i in rows:
            histories[ids[i]] = histories.get(ids[i], 0.0) + sent[i]
        result.append(sent)
    return result
