"""The optimum of attacks on a rule of FLTrust's shape: it lies in a plane, and one angle says where."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from flt.errors import check_choice, check_positive
from flt.functional.attacks.adaptive_game import direction_of, game_of
from flt.functional.attacks.knowledge import mean_of
from flt.functional.guarantees.benign_mean import BenignMean
from flt.functional.guarantees.trust_bounds import displacement, widest_angle
from flt.functional.one_angle import best_angle
from flt.functional.trust import FLTRUST, TrustShape

Objective = Literal["sign", "progress", "displacement", "descent"]
SMALLEST_ANGLE = 1e-3  # radians kept from where trust begins: float32 would lose a cosine that is nearly 0
SHORT = 1e-8  # a length, in those of the root update, next to which that of others is lost, and a direction is not
NEAREST_POLE = 1e-2  # trust of all clients together below which float32 would lose the aggregate


def exact_attack(
    updates: Tensor,
    malicious: Tensor,
    root_update: Tensor,
    *,
    shape: TrustShape = FLTRUST,
    objective: Objective = "sign",
    longest: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by what does most harm to FLTrust in any shape.

    All of them send ``l (cos(t) e_0 + sin(t) p)``, e_0 the root update's direction, p that of what the objective wants
    orthogonal to it; the angle t and, where the rule leaves a choice, the length l are optimal.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        root_update: The server's update g_0, shape ``[num_params]``.
        shape: The rule's settings.
        objective: What is to be harmed: "sign" is the paper's, the aggregate against its own sign before the attack
            (`adaptive_objective`); "progress" what the aggregate has of the root update; "displacement" how near it is
            to the mean of the benign updates. These two attain `guaranteed_progress` and `displacement_bound`.
            "descent" is how far the aggregate goes along the plain mean of the benign updates, which leads downhill.
        longest: Length of malicious updates where the rule takes lengths as they come, in those of the root update.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``. Unchanged where ``root_update``
        is zero, nobody is malicious, or no client counts ("score" none).

    Reading:
        Where there is no optimum the attack stops short of where harm has no bounds: with the rule's magnitude "own"
        at ``longest``; with signed scores, where malicious clients can cancel the trust of all others, at a hundredth.

    Example:
        >>> honest, root = torch.eye(3), torch.ones(3)
        >>> malicious = torch.tensor([True, True, False])
        >>> exact_attack(honest, malicious, root, objective="progress").norm(dim=1)
        tensor([1.7321, 1.7321, 1.0000])
    """
    check_choice("objective", objective, Objective)
    check_positive("longest", longest)
    num_malicious = int(malicious.sum())
    if num_malicious == 0 or shape.score == "none" or not bool(root_update.any()):
        return updates
    root_direction, root_norm = direction_of(root_update, updates.dtype)
    if objective == "sign":
        game = game_of(updates, malicious, root_update, shape)
        plane, trust = _Plane.of(root_direction, game.sign), game.benign_trust
        harm = _along(plane, game.benign_pull, trust, shape, num_malicious)
    else:
        benign = BenignMean.of(updates[~malicious], root_update, shape)
        assert benign.vector is not None, "the attacker knows the benign updates"
        trust = benign.trust
        if objective == "displacement":
            plane = _Plane.of(root_direction, benign.vector.to(root_direction))
            harm = _away(benign, num_malicious)
        else:
            wanted = root_direction if objective == "progress" else downhill(updates, malicious)
            along = benign.along if objective == "progress" else float(benign.vector @ wanted)
            plane = _Plane.of(root_direction, wanted.to(root_direction))
            harm = _along(plane, trust * along, trust, shape, num_malicious)
    direction, length = _best(plane, harm, shape, num_malicious, trust, longest)
    sent = updates.clone()
    sent[malicious] = min(length * root_norm, torch.finfo(updates.dtype).max) * direction
    return sent


def downhill(updates: Tensor, malicious: Tensor) -> Tensor:
    """Direction of the plain mean of the benign updates, float64, shape ``[num_params]``; zero where there are none."""
    benign = (~malicious).nonzero().flatten()
    if not len(benign):
        return updates.new_zeros(updates.shape[1], dtype=torch.float64)
    return torch.nn.functional.normalize(mean_of(updates, benign), dim=0)


class _Plane(NamedTuple):
    """The root update's direction e_0, and the part of another vector orthogonal to it.

    Attributes:
        root_direction: e_0, shape ``[num_params]``.
        leaning: Unit vector p orthogonal to it, in which the other vector goes on; any where that lies along e_0.
        along: What the other vector has along e_0.
        height: What it has along p.
    """

    root_direction: Tensor
    leaning: Tensor
    along: float
    height: float

    @classmethod
    def of(cls, root_direction: Tensor, vector: Tensor) -> _Plane:
        along = float(vector @ root_direction)
        across = vector - along * root_direction
        height = float(torch.linalg.vector_norm(across))
        if height <= 1e-6 * float(torch.linalg.vector_norm(vector)):
            # It lies along e_0 up to rounding: leaning any way lowers the weight, so any orthogonal direction will do.
            height, across = 0.0, _orthogonal_to(root_direction)
        return cls(root_direction, torch.nn.functional.normalize(across, dim=0), along, height)

    def vector(self, angle: float) -> Tensor:
        """The unit vector at an angle to e_0 on p's side."""
        return math.cos(angle) * self.root_direction + math.sin(angle) * self.leaning


Harm = Callable[[Tensor, float], Tensor]
"""What all malicious clients do at angles, float64 of shape ``[num_angles]``, with updates of a length."""


def _along(plane: _Plane, benign_pull: float, benign_trust: float, shape: TrustShape, num_malicious: int) -> Harm:
    """Making the aggregate short along the plane's other vector, along which benign clients have this pull."""

    def harm(angles: Tensor, length: float) -> Tensor:
        trust = num_malicious * shape.scores(angles.cos())
        pull = length * trust * (angles.cos() * plane.along + angles.sin() * plane.height)
        return -(pull + benign_pull) / (trust + benign_trust)

    return harm


def _away(benign: BenignMean, num_malicious: int) -> Harm:
    """Taking the aggregate away from the benign mean."""

    def harm(angles: Tensor, length: float) -> Tensor:
        # On the other side of e_0 than the mean they are further from it.
        return torch.where(angles <= 0, displacement(benign, num_malicious, angles.abs(), length), -math.inf)

    return harm


def _best(
    plane: _Plane, harm: Harm, shape: TrustShape, num_malicious: int, benign_trust: float, longest: float
) -> tuple[Tensor, float]:
    """The direction and the length that do most harm."""
    widest = widest_angle(shape, SMALLEST_ANGLE)

    def allowed(angles: Tensor, length: float) -> Tensor:
        values = harm(angles, length)
        if shape.score != "signed":
            return values
        total = num_malicious * angles.cos() + benign_trust
        return torch.where(total.abs() < NEAREST_POLE, -math.inf, values)

    found: list[tuple[float, float, float]] = []
    for length in {"root": (1.0,), "at_most_root": (1.0, SHORT), "own": (longest, SHORT)}[shape.magnitude]:
        # Harm is smooth in the angle but may have two humps.
        angle = best_angle(partial(allowed, length=length), -widest, widest)
        found.append((float(allowed(torch.tensor([angle], dtype=torch.float64), length)), angle, length))
    _, angle, length = max(found, key=itemgetter(0))
    return plane.vector(angle), length


def _orthogonal_to(direction: Tensor) -> Tensor:
    """A vector orthogonal to a unit vector, zero if there is only one dimension."""
    axis = torch.zeros_like(direction)
    axis[direction.abs().argmin()] = 1.0
    return axis - (axis @ direction) * direction
