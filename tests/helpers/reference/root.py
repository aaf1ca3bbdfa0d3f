"""References of the rules that measure updates by the server's data, written from the catalogue and nothing else.

What a rule knows is given in the root update's place. Where that is a vector, the loss of ``w + u`` is the squared
distance of ``u`` from it, and all else follows from two classes, the first of which is right: its probability is
``exp(-loss)``.
"""

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


class Near:
    """What the server knows, by the distance from a vector."""

    def __init__(self, root):
        self.root = root

    def loss(self, update):
        return float(np.sum((update - self.root) ** 2))

    def error(self, update):
        return float(np.exp(-self.loss(update)) < 0.5)

    def entropy(self, update):
        right = np.exp(-self.loss(update))
        return -sum(p * np.log(p) for p in (right, 1 - right) if p > 0)

    def guide(self, number):
        return self.root


def known(root):
    return Near(root) if isinstance(root, np.ndarray) else root


def equal(chosen, num_clients):
    return np.array([1 / len(chosen) if i in chosen else 0.0 for i in range(num_clients)])


def lowest(values, count):
    return sorted(range(len(values)), key=lambda i: (values[i], i))[:count]


def zeno_shares(rows, root, sizes, f, rho=0.1, penalty="sum"):
    server = known(root)
    scores = []
    for row in rows:
        squares = row**2
        length = squares.sum() if penalty == "sum" else squares.mean()
        scores.append(server.loss(0 * row) - server.loss(row) - rho * length)
    return equal(lowest([-score for score in scores], len(rows) - f), len(rows))


def zeno(rows, *given, **settings):
    return zeno_shares(rows, *given, **settings) @ rows


def mean(rows, sizes):
    return sum(size * row for size, row in zip(sizes, rows, strict=True)) / sum(sizes)


def rejected(rows, sizes, f, measure):
    everyone, harm = measure(mean(rows, sizes)), []
    for i in range(len(rows)):
        others = [j for j in range(len(rows)) if j != i]
        harm.append(everyone - measure(mean(rows[others], sizes[others])))
    return set(lowest([-each for each in harm], f))


def rejection_shares(rows, root, sizes, f, names):
    server, gone = known(root), set()
    for name in names if f else ():
        gone |= rejected(rows, sizes, f, getattr(server, name))
    counted = np.array([0.0 if i in gone else size for i, size in enumerate(sizes)])
    return counted / counted.sum()


def rejection(rows, root, sizes, f, names):
    return rejection_shares(rows, root, sizes, f, names) @ rows


def fedgreed_shares(rows, root, sizes, f):
    server = known(root)
    order = lowest([server.loss(row) for row in rows], len(rows))
    best, least = 1, server.loss(rows[order[0]])
    for count in range(2, len(rows) + 1):
        loss = server.loss(rows[order[:count]].mean(axis=0))
        if loss > least:
            break
        best, least = count, loss
    return equal(order[:best], len(rows))


def fedgreed(rows, root, sizes, f):
    return fedgreed_shares(rows, root, sizes, f) @ rows


def sageflow_shares(rows, root, sizes, f, max_entropy, exponent):
    server = known(root)
    losses = np.array([server.loss(row) for row in rows])
    kept = np.array([server.entropy(row) < max_entropy for row in rows]) & (np.asarray(sizes) > 0)
    if not kept.any():
        return np.zeros(len(rows))
    if (losses[kept] == 0).any():  # infinitely better than the others
        weights = np.where(kept & (losses == 0), sizes, 0.0) if exponent else np.where(kept, sizes, 0.0)
    else:
        weights = np.where(kept, sizes * (losses[kept].min() / losses) ** exponent, 0.0)
    return weights / weights.sum()


def sageflow(rows, *given, **settings):
    return sageflow_shares(rows, *given, **settings) @ rows


def unit(row):
    length = np.linalg.norm(row)
    return row / length if length else row


def zeno_plus_plus_rows(rows, root, gamma=0.1, rho=0.001, epsilon=0.0, penalty="rescaled"):
    """The rescaled updates that are accepted, by their numbers."""
    accepted = {}
    for number, row in enumerate(rows):
        rescaled = np.linalg.norm(root) * unit(row)
        counted = row if penalty == "sent" else rescaled
        if gamma * (root @ rescaled) - rho * (counted @ counted) + gamma * epsilon >= 0:
            accepted[number] = rescaled
    return accepted


def zeno_plus_plus(rows, root, sizes, f, **settings):
    accepted = zeno_plus_plus_rows(rows, root, **settings)
    return np.mean([*accepted.values()], axis=0) if accepted else 0 * root


def zeno_plus_plus_shares(rows, root, sizes, f, **settings):
    accepted = zeno_plus_plus_rows(rows, root, **settings)
    return equal([*accepted], len(rows)) if accepted else np.zeros(len(rows))


def zeno_plus_plus_rounds(given, f, refresh_every=10):
    found, root = [], None
    for number, (rows, newest, sizes, *_) in enumerate(given):
        root = newest if number % refresh_every == 0 else root
        found.append(zeno_plus_plus(rows, root, sizes, f))
    return found


def diversefl_shares(rows, root, sizes, f, min_ratio=0.5, max_ratio=2.0):
    server, accepted = known(root), []
    for number, row in enumerate(rows):
        guide = server.guide(number)
        length = np.linalg.norm(guide)
        if length and row @ guide > 0 and min_ratio < np.linalg.norm(row) / length < max_ratio:
            accepted.append(number)
    return equal(accepted, len(rows)) if accepted else np.zeros(len(rows))


def diversefl(rows, *given, **settings):
    return diversefl_shares(rows, *given, **settings) @ rows
