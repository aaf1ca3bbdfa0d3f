"""The adaptive attack: malicious directions chosen against FLTrust itself, with everything known."""

from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.adaptive_game import game_of
from flt.functional.attacks.adaptive_walk import Scores, ZerothOrder, climb
from flt.functional.attacks.exact import exact_attack
from flt.functional.attacks.trim import crafted_rows

Solver = Literal["zeroth_order", "exact"]


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
    scores: Scores = "relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by the adaptive attack's on FLTrust.

    The malicious unit vectors maximise how far FLTrust's aggregate moves against its own sign (`adaptive_objective`).
    "zeroth_order" is the paper's solver: from the Trim attack's directions, ``sweeps`` times over the malicious
    clients, ``steps`` times each, a step along ``(h(e + probe u) - h(e)) / probe * u`` with normal u, then back to
    length 1. Of each u only what the steps depend on is drawn, from its exact distribution
    (`flt.functional.attacks.adaptive_walk`).
    "exact" finds the optimum, which lies in the plane of s and e_0 and is the same for all of them (`exact_attack`).

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
        scores: Trust scores of malicious clients in the h that the paper's solver climbs: "relu", as printed, or
            "signed", their cosines, negative ones too.
        generator: Source of the draws: those of `trim_attack`, then five numbers for each step of a client, then, if
            any of them has moved, ``[num_malicious, num_params]`` normal numbers.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``; crafted updates are as long as
        ``root_update``. Unchanged where ``root_update`` is zero or nobody is malicious.

    Reading:
        As printed, h does not see a malicious client at more than 90 degrees to the root update, where the Trim attack
        puts most of them, and the solver leaves it there. With signed scores it moves. The server's rule is the same.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section V-B and Algorithm 3.

    Example:
        >>> honest, root = torch.eye(3) + 1.0, torch.ones(3)
        >>> sent = adaptive_attack(honest, torch.tensor([True, False, False]), root, solver="exact")
        >>> bool(sent[0].norm().isclose(root.norm()))
        True
    """
    check_choice("solver", solver, Solver)
    check_choice("scores", scores, Scores)
    if not bool(malicious.any()) or not bool(root_update.any()):
        return updates
    if solver == "exact":
        return exact_attack(updates, malicious, root_update)
    game = game_of(updates, malicious, root_update)
    starts = crafted_rows(updates, malicious, generator=generator)
    starts = updates[malicious] if starts is None else starts
    settings = ZerothOrder(sweeps, steps, noise_variance, probe, step_size, scores)
    directions = climb(game, starts, settings, generator=generator)
    sent = updates.clone()
    sent[malicious] = min(game.root_norm, torch.finfo(updates.dtype).max) * directions
    return sent
