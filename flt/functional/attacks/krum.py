"""The Krum attack: a step against the direction of learning, as long as Krum will still pick it."""

import math

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.aggregation.krum import nearest_sums
from flt.functional.attacks.knowledge import Knowledge
from flt.functional.distances import inner_products, norms, squared_distances_from_gram
from flt.functional.gram import pairwise_squared_distances

SMALLEST_STEP = 1e-5  # lambda below which the search gives up, as Fang et al. do


def krum_attack(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    epsilon: float = 0.01,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by the Krum attack's.

    The first malicious update is ``-lambda s``, the others lie within ``epsilon`` of it, with s the sign of the update
    Krum picks when nobody attacks (partial knowledge: of the mean of the attackers' own updates). ``lambda`` starts at
    the upper bound

    ``sqrt(min_i sum of squared distances to the n-m-2 nearest benign / ((n-2m-1) d)) + max_i |g_i| / sqrt(d)``

    over benign i and is halved until Krum picks a malicious update or it is below 1e-5. With so many attackers that
    ``n-m-2`` or ``n-2m-1`` is below 1, where Krum is not defined, 1 is used.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (all updates) or "partial" (the malicious clients' own: one crafted update must win Krum
            among them).
        epsilon: Largest distance between the malicious updates.
        generator: Source of the draws: ``[num_malicious - 1, num_params]`` normal directions, then as many uniform
            radii.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Fang et al., Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security 2020,
        section 4.2.

    Example:
        >>> honest = torch.tensor([[1.0], [1.1], [1.2], [1.3], [1.4]])
        >>> sent = krum_attack(honest, torch.tensor([True, False, False, False, False]))
        >>> bool(sent[0] < 0)
        True
    """
    check_choice("knowledge", knowledge, Knowledge)
    num_malicious = int(malicious.sum())
    if num_malicious == 0 or (knowledge == "full" and num_malicious == len(updates)):
        return updates
    offsets = _offsets(updates, num_malicious, epsilon, generator)
    if knowledge == "full":
        distances = pairwise_squared_distances(updates)
        direction = updates[_krum_index(distances, num_malicious)].sign()
        step = _largest_step(updates, ~malicious, distances[~malicious][:, ~malicious], direction, offsets)
    else:
        own = updates[malicious]
        direction = own.mean(dim=0, dtype=torch.float64).sign().to(own.dtype)  # whose sum cannot overflow
        step = _largest_step(updates, malicious, pairwise_squared_distances(own), direction, offsets[:1])
    sent = updates.clone()
    sent[malicious] = offsets - step * direction
    return sent


def _offsets(updates: Tensor, num_malicious: int, epsilon: float, generator: torch.Generator | None) -> Tensor:
    """Where each malicious update lies relative to the first: ``[num_malicious, num_params]``, row 0 zero."""
    offsets = updates.new_zeros(num_malicious, updates.shape[1])
    if num_malicious > 1:
        directions = offsets[1:].normal_(generator=generator)
        radii = torch.empty_like(offsets[1:, :1]).uniform_(generator=generator)
        lengths = torch.linalg.vector_norm(directions, dim=1, keepdim=True)
        directions *= epsilon * radii / lengths.clamp(min=1e-12)
    return offsets


def _largest_step(updates: Tensor, benign: Tensor, distances: Tensor, direction: Tensor, offsets: Tensor) -> float:
    """The first lambda of the halving at which Krum picks one of ``-lambda direction + offsets`` over the benign.

    Args:
        updates: Updates of all clients.
        benign: Mask of those that the crafted ones have to win over.
        distances: Squared distances between these.
        direction: Sign vector s.
        offsets: Where each crafted update lies relative to the first.
    """
    num_crafted, num_params = offsets.shape
    lengths = norms(updates)[benign]
    step = _upper_bound(distances, lengths, num_params, num_crafted)
    # |o_j - lambda s - x_i|^2 is a polynomial in lambda: with its coefficients, taken once, there are the distances for
    # any lambda without touching the parameters again.
    crafted = torch.cat([offsets, direction[None]])
    within, across = inner_products(crafted, crafted), inner_products(crafted, updates)[:, benign]
    constant = within.diagonal()[:-1, None] + lengths.square() - 2 * across[:-1]
    linear, quadratic = 2 * (within[:-1, -1:] - across[-1]), within[-1, -1]
    among_crafted = squared_distances_from_gram(within[:-1, :-1])
    while math.inf > step >= SMALLEST_STEP:
        to_benign = (constant - step * linear + step**2 * quadratic).clamp(min=0.0)
        table = [torch.cat([among_crafted, to_benign], dim=1), torch.cat([to_benign.T, distances], dim=1)]
        if _krum_index(torch.cat(table), num_crafted) < num_crafted:
            break
        step /= 2
    return min(step, torch.finfo(updates.dtype).max)


def _upper_bound(distances: Tensor, lengths: Tensor, num_params: int, num_malicious: int) -> float:
    num_clients = len(distances) + num_malicious
    num_neighbours = min(max(1, num_clients - num_malicious - 2), len(distances) - 1)
    spread = nearest_sums(distances, num_neighbours=num_neighbours).min()
    margin = max(1, num_clients - 2 * num_malicious - 1)
    return float((spread / (margin * num_params)).sqrt() + lengths.max() / num_params**0.5)


def _krum_index(squared_distances: Tensor, num_malicious: int) -> int:
    num_neighbours = min(max(1, len(squared_distances) - num_malicious - 2), len(squared_distances) - 1)
    return int(nearest_sums(squared_distances, num_neighbours=num_neighbours).argmin())
