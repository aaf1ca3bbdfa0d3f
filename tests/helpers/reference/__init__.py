"""Naive NumPy float64 references for the rules and attacks, written from the papers' formulas and nothing else.

Rows of ``updates`` are clients. Attacks receive their random draws as arrays, so that a test can hand the same numbers
to the reference and to the implementation.
"""

import math

import numpy as np


def sample_updates(num_clients, num_params, seed):
    """Updates that partly agree with a root update: some cosines positive, some negative; lengths differ widely."""
    rng = np.random.default_rng(seed)
    root_update = rng.normal(size=num_params)
    updates = np.array([0.5 * root_update + rng.normal(size=num_params) for _ in range(num_clients)])
    return updates * rng.uniform(0.2, 3.0, size=(num_clients, 1)), root_update


def shares(num_examples):
    """Each client's share of all examples; zero where there is none."""
    total = sum(num_examples)
    return np.array([count / total if total else 0.0 for count in num_examples])


def fedavg(updates, num_examples):
    return sum(share * update for share, update in zip(shares(num_examples), updates, strict=True))


def norm_bounded_mean(updates, num_examples, max_norm):
    lengths = [math.sqrt(sum(float(x) ** 2 for x in update)) for update in updates]
    bounded = [
        update if length <= max_norm else update * (max_norm / length)
        for update, length in zip(updates, lengths, strict=True)
    ]
    return fedavg(bounded, num_examples)


def squared_distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def pairwise_squared_distances(updates):
    return np.array([[squared_distance(a, b) for b in updates] for a in updates])


def nearest_sums(updates, num_neighbors, power=2):
    """For every update, the sum of distances to its ``num_neighbors`` nearest others, squared or to another power."""
    sums = []
    for i, update in enumerate(updates):
        others = sorted(squared_distance(update, other) for j, other in enumerate(updates) if j != i)
        sums.append(sum(other ** (power / 2) for other in others[:num_neighbors]))
    return np.array(sums)


def krum_scores(updates, num_byzantine, num_neighbors=None, power=2):
    num_neighbors = len(updates) - num_byzantine - 2 if num_neighbors is None else num_neighbors
    return nearest_sums(updates, num_neighbors, power)


def krum(updates, num_byzantine, num_neighbors=None, power=2):
    return updates[np.argmin(krum_scores(updates, num_byzantine, num_neighbors, power))]


def trimmed_mean(updates, trim):
    columns = [sorted(column)[trim : len(column) - trim] for column in updates.T]
    return np.array([sum(column) / len(column) for column in columns])


def median(updates):
    middle = []
    for column in updates.T:
        ordered, half = sorted(column), len(column) // 2
        middle.append(ordered[half] if len(column) % 2 else (ordered[half - 1] + ordered[half]) / 2)
    return np.array(middle)


def cosine_similarity(updates, root_update):
    cosines = []
    for update in updates:
        norms = np.linalg.norm(update) * np.linalg.norm(root_update)
        cosines.append(np.dot(update, root_update) / norms if norms > 0 else 0.0)
    return np.array(cosines)


def trust_scores(updates, root_update, score="relu", least_cosine=0.0):
    relu = lambda cosine: max(cosine - least_cosine, 0.0) / (1.0 - least_cosine)  # noqa: E731
    scores = {"relu": relu, "signed": lambda cosine: cosine, "none": lambda cosine: 0.0}
    scores["equal"] = lambda cosine: 1.0
    found = [scores[score](cosine) for cosine in cosine_similarity(updates, root_update)]
    return np.where(np.linalg.norm(updates, axis=1) > 0, found, 0.0)


def fltrust(updates, root_update, score="relu", magnitude="root", include_root=False, least_cosine=0.0):
    root_norm = np.linalg.norm(root_update)
    weighted, total = np.zeros(len(root_update)), 0.0
    for update, trust in zip(updates, trust_scores(updates, root_update, score, least_cosine), strict=True):
        norm = np.linalg.norm(update)
        if norm > 0 and (magnitude == "root" or (magnitude == "at_most_root" and norm > root_norm)):
            update = root_norm / norm * update
        weighted, total = weighted + trust * update, total + trust
    if include_root:
        weighted, total = weighted + root_update, total + 1.0
    return np.zeros(len(root_update)) if total == 0 or root_norm == 0 else weighted / total


def replace_rows(updates, malicious, crafted):
    result = updates.copy()
    result[malicious] = crafted
    return result


def nnm_mixing(updates, num_byzantine):
    mixing = np.zeros((len(updates), len(updates)))
    for i, update in enumerate(updates):
        order = sorted(range(len(updates)), key=lambda j: (j != i, float(np.sum((updates[j] - update) ** 2)), j))
        mixing[i, order[: len(updates) - num_byzantine]] = 1.0 / (len(updates) - num_byzantine)
    return mixing


def nnm(updates, num_byzantine):
    return nnm_mixing(updates, num_byzantine) @ updates


def krum_lambda_bound(benign, num_clients, num_malicious):
    num_params = benign.shape[1]
    closest = min(nearest_sums(benign, max(num_clients - num_malicious - 2, 1)))
    longest = max(np.linalg.norm(update) for update in benign)
    spread = closest / (max(num_clients - 2 * num_malicious - 1, 1) * num_params)
    return math.sqrt(spread) + longest / math.sqrt(num_params)


def krum_attack(updates, malicious, directions, radii, knowledge="full", epsilon=0.01):
    num_clients, num_malicious = len(updates), int(malicious.sum())
    if num_malicious == 0 or (knowledge == "full" and num_malicious == num_clients):
        return updates.copy()
    offsets = [np.zeros(updates.shape[1])]
    offsets += [epsilon * r * v / np.linalg.norm(v) for r, v in zip(radii, directions, strict=True)]
    if knowledge == "full":
        num_neighbors = max(num_clients - num_malicious - 2, 1)
        sign = np.sign(updates[np.argmin(nearest_sums(updates, num_neighbors))])
        step = krum_lambda_bound(updates[~malicious], num_clients, num_malicious)
    else:
        own = updates[malicious]
        num_neighbors = max((num_malicious + 1) - 1 - 2, 1)
        sign = np.sign(own.mean(axis=0))
        step = krum_lambda_bound(own, num_malicious + 1, 1)
    while True:
        crafted = np.array([-step * sign + offset for offset in offsets])
        if knowledge == "full":
            picked = malicious[np.argmin(nearest_sums(replace_rows(updates, malicious, crafted), num_neighbors))]
        else:
            picked = np.argmin(nearest_sums(np.vstack([crafted[:1], own]), num_neighbors)) == 0
        if picked or step < 1e-5:
            return replace_rows(updates, malicious, crafted)
        step /= 2


def trim_interval(sign, smallest, largest, stretch):
    """The interval to draw one coordinate from, on the far side of all benign values."""
    if sign < 0:
        return (largest, stretch * largest) if largest > 0 else (largest, largest / stretch)
    return (smallest / stretch, smallest) if smallest > 0 else (stretch * smallest, smallest)


def trim_attack(updates, malicious, draws, knowledge="full", stretch=2.0):
    if not malicious.any() or (knowledge == "full" and malicious.all()):
        return updates.copy()
    crafted = np.zeros(draws.shape)
    for j in range(updates.shape[1]):
        if knowledge == "full":
            benign = updates[~malicious, j]
            low, high = trim_interval(np.sign(updates[:, j].mean()), min(benign), max(benign), stretch)
        else:
            mean, deviation = updates[malicious, j].mean(), updates[malicious, j].std(ddof=0)
            low, high = (mean + 3 * deviation, mean + 4 * deviation)
            if mean >= 0:
                low, high = (mean - 4 * deviation, mean - 3 * deviation)
        crafted[:, j] = [low + (high - low) * draw for draw in draws[:, j]]
    return replace_rows(updates, malicious, crafted)


def unit(vectors):
    """The vectors, ``[..., num_params]``, at length 1; zero stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


def weighted_direction(directions, root_direction):
    """The mean of ``directions``, each weighted with its inner product with the root direction where positive."""
    weights = [max(np.dot(direction, root_direction), 0.0) for direction in directions]
    if sum(weights) == 0:
        return np.zeros_like(root_direction)
    return sum(w * direction for w, direction in zip(weights, directions, strict=True)) / sum(weights)
