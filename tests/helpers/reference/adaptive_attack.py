"""The adaptive attack in NumPy: its objective, the paper's solver as printed, and noise made of given coordinates."""

import math

import numpy as np

from reference import fltrust, unit, weighted_direction


def objective(directions, updates, malicious, root_update, scores="relu"):
    """The paper's h: how far the malicious ``directions``, [..., malicious clients, parameters], move FLTrust's update
    against its sign before the attack.
    """
    root_direction, honest = unit(root_update), unit(updates)
    kept = np.maximum(honest[~malicious] @ root_direction, 0)
    trust = directions @ root_direction
    trust = trust if scores == "signed" else np.maximum(trust, 0)
    total = trust.sum(axis=-1, keepdims=True) + kept.sum()
    after = np.einsum("...m,...mp->...p", trust, directions) + kept @ honest[~malicious]
    shift = weighted_direction(honest, root_direction) - after / np.where(total != 0, total, 1.0)
    return np.linalg.norm(root_update) * shift @ np.sign(fltrust(updates, root_update))


def zeroth_order(game, starts, noise, *, sweeps, steps, probe=0.005, step_size=0.01, scores="relu"):
    """The paper's solver from the directions of ``starts``, [..., malicious clients, parameters].

    ``game`` are the updates, who is malicious and the root update; ``noise(j, direction)`` is the next vector along
    which client j steps from a direction.
    """
    directions = unit(starts)
    for _ in range(sweeps):
        for j in range(directions.shape[-2]):
            for _ in range(steps):
                along, probed = noise(j, directions[..., j, :]), directions.copy()
                probed[..., j, :] += probe * along
                rise = np.asarray(objective(probed, *game, scores) - objective(directions, *game, scores))
                directions[..., j, :] = unit(directions[..., j, :] + step_size * rise[..., None] / probe * along)
    return directions


def orthonormal(vectors):
    """The vectors one after the other, less their parts along earlier ones, at length 1; zero where nothing is left."""
    found = []
    for vector in vectors:
        left = unit(vector)
        for earlier in 2 * found:
            left = left - (left @ earlier) * earlier
        found.append(unit(left) if np.linalg.norm(left) > 1e-10 else np.zeros_like(left))
    return np.array(found)


class CoordinateNoise:
    """Noise vectors from their coordinates, [sweeps, malicious clients, steps, 4], along e_0, the sign, the client's
    start and where it is now, each less its part along those before, and from the lengths of the rest.
    """

    def __init__(self, game, starts, coordinates, lengths):
        sign = np.sign(fltrust(game[0], game[2]))
        self.known = [orthonormal([game[2], sign, start]) for start in starts]
        self.draws = [
            zip(coordinates[:, j].reshape(-1, 4), lengths[:, j].ravel(), strict=True) for j in range(len(starts))
        ]
        self.any = np.random.default_rng(2026)

    def __call__(self, j, direction):
        coordinates, length = next(self.draws[j])
        # Where it is now may be where it started: then any other direction, as for the rest.
        others = orthonormal([*self.known[j], direction, *self.any.normal(size=(2, len(direction)))])[3:]
        present, rest, *_ = sorted(others, key=lambda vector: not vector.any())
        return coordinates[:3] @ self.known[j] + coordinates[3] * present + length * rest

    def turned(self, directions, fresh):
        """The directions with their parts orthogonal to what is known turned to those of ``fresh``."""
        inside = np.array([v @ known.T @ known for v, known in zip(directions, self.known, strict=True)])
        outside = [orthonormal([*known, vector])[3] for known, vector in zip(self.known, fresh, strict=True)]
        return inside + np.linalg.norm(directions - inside, axis=1, keepdims=True) * outside


def grid_optimum(updates, malicious, root_update, num_angles=401):
    """The best value of h over a grid of angles in the plane of the sign vector and the root direction."""
    root_direction, sign = unit(root_update), np.sign(fltrust(updates, root_update))
    orthogonal = unit(sign - np.dot(sign, root_direction) * root_direction)
    angles = np.linspace(-math.pi / 2, math.pi / 2, num_angles)[:, None, None]
    directions = np.repeat(np.cos(angles) * root_direction + np.sin(angles) * orthogonal, malicious.sum(), axis=1)
    return objective(directions, updates, malicious, root_update).max()
