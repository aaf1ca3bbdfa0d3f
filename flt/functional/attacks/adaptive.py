"""The adaptive attack: malicious directions chosen against FLTrust itself, with everything known."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.aggregation.fltrust import fltrust_sum
from flt.functional.attacks.trim import trim_attack
from flt.functional.distances import inner_products, norms

Solver = Literal["zeroth_order", "exact"]
SMALLEST_ANGLE = 1e-3  # radians that the exact solver keeps from 90 degrees, where float32 would lose the cosine


@dataclass(frozen=True)
class _Game:
    """What the objective needs to know of a round; the paper's h, up to its constant first term, is

    ``-|g_0| (sum_j ReLU(c_j) a_j + benign_pull) / (sum_j ReLU(c_j) + benign_trust)``

    where malicious client j enters only by ``a_j = s . e_j`` and ``c_j = e_0 . e_j``.
    """

    sign: Tensor  # s, [num_params]
    root_direction: Tensor  # e_0, [num_params]
    root_norm: float  # |g_0|
    benign_pull: float  # sum over benign i of ReLU(c_i) s . e_i
    benign_trust: float  # sum over benign i of ReLU(c_i)
    before: float  # s . aggregate / |g_0| when nobody attacks

    def value(self, pull: float, trust: float) -> float:
        """The objective h for ``pull = sum_j ReLU(c_j) a_j`` and ``trust = sum_j ReLU(c_j)``, j malicious."""
        total = trust + self.benign_trust
        after = (pull + self.benign_pull) / total if total > 0 else 0.0
        return self.root_norm * (self.before - after)


def adaptive_attack(
    updates: Tensor,
    malicious: Tensor,
    root_update: Tensor,
    *,
    solver: Solver = "zeroth_order",
    sweeps: int = 10,
    steps: int = 10,
    noise_variance: float = 0.5,
    probe: float = 0.005,
    step_size: float = 0.01,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by the adaptive attack's on FLTrust.

    The malicious unit vectors maximise how far FLTrust's aggregate moves against its own sign (`adaptive_objective`).
    "zeroth_order" is the paper's solver: from the Trim attack's directions, ``sweeps`` times over the malicious
    clients, ``steps`` times each, a step along ``(h(e + probe u) - h(e)) / probe * u`` with normal u, then back to
    length 1.
    "exact" finds the optimum, which lies in the plane of s and e_0 and is the same for all of them.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        solver: "zeroth_order" or "exact".
        sweeps: Passes over the malicious clients (V).
        steps: Steps a client and pass (Q).
        noise_variance: Variance sigma^2 of each entry of u.
        probe: Length gamma of the probing step.
        step_size: Step eta.
        generator: Source of the draws: those of `trim_attack`, then per pass ``[num_malicious, steps, num_params]``
            normal numbers.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``; crafted updates are as long as
        ``root_update``. Unchanged where ``root_update`` is zero or nobody is malicious.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section V-B and Algorithm 3.

    Example:
        >>> honest, root = torch.eye(3) + 1.0, torch.ones(3)
        >>> sent = adaptive_attack(honest, torch.tensor([True, False, False]), root, solver="exact")
        >>> bool(sent[0].norm().isclose(root.norm()))
        True
    """
    check_choice("solver", solver, Solver)
    num_malicious = int(malicious.sum())
    if num_malicious == 0 or not bool(root_update.any()):
        return updates
    game = _game(updates, malicious, root_update)
    if solver == "exact":
        directions = _exact(game, num_malicious).expand(num_malicious, -1)
    else:
        start = trim_attack(updates, malicious, generator=generator)[malicious]
        directions = _normalized(start)
        # By far the largest tensor: one for all sweeps.
        noise = updates.new_empty(num_malicious, steps, updates.shape[1])
        for _ in range(sweeps):
            noise.normal_(generator=generator)
            directions = _sweep(game, directions, noise, noise_variance**0.5, probe=probe, step_size=step_size)
    sent = updates.clone()
    sent[malicious] = min(game.root_norm, torch.finfo(updates.dtype).max) * directions
    return sent


def adaptive_objective(directions: Tensor, updates: Tensor, malicious: Tensor, root_update: Tensor) -> float:
    """The adaptive attack's objective h: how far FLTrust's aggregate moves against its sign before the attack.

    Args:
        directions: Unit vectors of the malicious clients, shape ``[num_malicious, num_params]``.
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        root_update: The server's update, not zero, shape ``[num_params]``.

    Returns:
        h; larger is better for the attacker.

    Example:
        >>> honest, root = torch.ones(3, 2), torch.ones(2)
        >>> malicious = torch.tensor([True, False, False])
        >>> h = adaptive_objective(honest[:1] / 2**0.5, honest, malicious, root)  # sends what it would have sent
        >>> abs(h) < 1e-6
        True
    """
    game = _game(updates, malicious, root_update)
    trust = (directions @ game.root_direction).double().clamp(min=0)
    return game.value(float(trust @ (directions @ game.sign).double()), float(trust.sum()))


def _game(updates: Tensor, malicious: Tensor, root_update: Tensor) -> _Game:
    root_norm = float(norms(root_update[None]))
    weighed = fltrust_sum(updates, root_update, 1.0 / len(updates))
    aggregate = weighed.total.mean()
    sign = aggregate.sign()
    trust, lengths = weighed.trust_scores[~malicious].double(), weighed.lengths[~malicious]
    # In float64, like the norms: the sum over the parameters of a huge update would overflow.
    pulls = torch.where(lengths > 0, inner_products(updates, sign[None])[~malicious, 0] / lengths, 0.0)
    return _Game(
        sign=sign,
        root_direction=(root_update.double() / root_norm).to(updates.dtype),
        root_norm=root_norm,
        benign_pull=float(trust @ pulls),
        benign_trust=float(trust.sum()),
        before=float(aggregate.double() @ sign.double()) / root_norm,
    )


def _sweep(
    game: _Game, directions: Tensor, noise: Tensor, deviation: float, *, probe: float, step_size: float
) -> Tensor:
    """One pass over the malicious clients; ``noise``, ``[num_malicious, steps, num_params]``, times ``deviation`` is u.

    A client's vector stays a combination of its start and its noise vectors, so all inner products are taken at once
    and the steps themselves are arithmetic on a few numbers.
    """
    axes = torch.stack([game.sign, game.root_direction], dim=1)
    start_products = (directions @ axes).double().tolist()  # a_j and c_j of every client
    # Scaling these few numbers instead of the noise saves a pass over it.
    noise_products = ((noise @ axes).double() * deviation).tolist()
    overlaps = (torch.bmm(noise, directions[:, :, None]).squeeze(2).double() * deviation).tolist()
    grams = (torch.bmm(noise, noise.transpose(1, 2)).double() * deviation**2).tolist()
    pull = sum(max(c, 0.0) * a for a, c in start_products)
    trust = sum(max(c, 0.0) for _, c in start_products)
    keep, mix = [], []
    for client, (a, c) in enumerate(start_products):
        rest = (pull - max(c, 0.0) * a, trust - max(c, 0.0))
        walk = _Walk(game, rest, a, c, probe=probe, step_size=step_size)
        for step, (noise_a, noise_c) in enumerate(noise_products[client]):
            walk.step(noise_a, noise_c, overlaps[client][step], grams[client][step])
        pull, trust = rest[0] + max(walk.c, 0.0) * walk.a, rest[1] + max(walk.c, 0.0)
        keep.append(walk.keep)
        mix.append(walk.mix)
    moved = directions * directions.new_tensor(keep)[:, None]
    moved += torch.bmm(directions.new_tensor(mix)[:, None, :] * deviation, noise).squeeze(1)
    # The bookkeeping is exact up to rounding; this keeps rounding from adding up over the passes.
    return _normalized(moved)


def _normalized(vectors: Tensor) -> Tensor:
    """The vectors at length 1, whatever theirs; zero stays zero."""
    lengths = norms(vectors)[:, None]
    return torch.where(lengths > 0, vectors.double() / lengths, 0.0).to(vectors.dtype)


class _Walk:
    """Zeroth-order ascent of one client, on its coordinates in {start, noise vectors} instead of its parameters."""

    def __init__(
        self, game: _Game, rest: tuple[float, float], a: float, c: float, *, probe: float, step_size: float
    ) -> None:
        self.game, self.rest, self.a, self.c = game, rest, a, c
        self.probe, self.step_size = probe, step_size
        self.keep = 1.0  # coefficient of the start vector
        self.mix: list[float] = []  # coefficients of the noise vectors used so far

    def _value(self, a: float, c: float) -> float:
        trust = max(c, 0.0)
        return self.game.value(self.rest[0] + trust * a, self.rest[1] + trust)

    def step(self, noise_a: float, noise_c: float, overlap: float, gram: list[float]) -> None:
        """One step along a noise vector u, given ``s . u``, ``e_0 . u``, ``start . u`` and u's products with all u."""
        probed = self._value(self.a + self.probe * noise_a, self.c + self.probe * noise_c)
        length = self.step_size * (probed - self._value(self.a, self.c)) / self.probe
        along = self.keep * overlap + sum(weight * product for weight, product in zip(self.mix, gram, strict=False))
        norm = (1.0 + 2.0 * length * along + length**2 * gram[len(self.mix)]) ** 0.5
        self.a, self.c = (self.a + length * noise_a) / norm, (self.c + length * noise_c) / norm
        self.keep /= norm
        self.mix = [weight / norm for weight in self.mix] + [length / norm]


def _exact(game: _Game, num_malicious: int) -> Tensor:
    """The best common direction ``cos(t) e_0 + sin(t) p``, p the unit part of s orthogonal to e_0, ``[num_params]``."""
    along = float(game.sign @ game.root_direction)
    across = game.sign - along * game.root_direction
    height = float(torch.linalg.vector_norm(across))
    if height <= 1e-6 * float(torch.linalg.vector_norm(game.sign)):
        # s lies along e_0 up to rounding: leaning any way lowers the weight, so any orthogonal direction will do.
        height, across = 0.0, _orthogonal_to(game.root_direction)
    # The weight in h is cos(t): at 90 degrees the malicious clients would have none.
    low, high = -torch.pi / 2 + SMALLEST_ANGLE, torch.pi / 2 - SMALLEST_ANGLE

    def values(angles: Tensor) -> Tensor:
        trust = num_malicious * angles.cos()
        pull = trust * (angles.cos() * along + angles.sin() * height)
        return -(pull + game.benign_pull) / (trust + game.benign_trust)

    # h is smooth in the angle but may have two humps: a fine grid finds the right one, zooming in the rest.
    left, right, best = low, high, 0.0
    for _ in range(4):
        angles = torch.linspace(left, right, 1001, dtype=torch.float64)
        best = float(angles[values(angles).argmax()])
        width = (right - left) / 1000
        left, right = max(best - width, low), min(best + width, high)
    leaning = torch.nn.functional.normalize(across, dim=0)
    return math.cos(best) * game.root_direction + math.sin(best) * leaning


def _orthogonal_to(direction: Tensor) -> Tensor:
    """A vector orthogonal to a unit vector, zero if there is only one dimension."""
    axis = torch.zeros_like(direction)
    axis[direction.abs().argmin()] = 1.0
    return axis - (axis @ direction) * direction
