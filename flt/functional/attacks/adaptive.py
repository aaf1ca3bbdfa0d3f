"""The adaptive attack: malicious directions chosen against FLTrust itself, with everything known."""

import math
from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.adaptive_game import Game, game_of
from flt.functional.attacks.adaptive_walk import ZerothOrder, climb
from flt.functional.attacks.trim import crafted_rows

Solver = Literal["zeroth_order", "exact"]
SMALLEST_ANGLE = 1e-3  # radians that the exact solver keeps from 90 degrees, where float32 would lose the cosine


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
    length 1. Of each u only what the steps depend on is drawn, from its exact distribution
    (`flt.functional.attacks.adaptive_walk`).
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
        generator: Source of the draws: those of `trim_attack`, then five numbers for each step of a client, then, if
            any of them has moved, ``[num_malicious, num_params]`` normal numbers.

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
    game = game_of(updates, malicious, root_update)
    if solver == "exact":
        directions = _exact(game, num_malicious).expand(num_malicious, -1)
    else:
        starts = crafted_rows(updates, malicious, generator=generator)
        starts = updates[malicious] if starts is None else starts
        settings = ZerothOrder(sweeps, steps, noise_variance, probe, step_size)
        directions = climb(game, starts, settings, generator=generator)
    sent = updates.clone()
    sent[malicious] = min(game.root_norm, torch.finfo(updates.dtype).max) * directions
    return sent


def _exact(game: Game, num_malicious: int) -> Tensor:
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
