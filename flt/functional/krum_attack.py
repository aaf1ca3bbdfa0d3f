"""The Krum attack: a step against the direction of learning, as long as Krum will still pick it."""

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.distances import norms, pairwise_squared_distances, squared_distances_from_gram
from flt.functional.krum import nearest_sums
from flt.functional.trim_attack import Knowledge

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
        picked = updates[_krum_index(pairwise_squared_distances(updates), num_malicious)]
        step = _largest_step(updates[~malicious], picked.sign(), offsets)
        direction = picked.sign()
    else:
        own = updates[malicious]
        direction = own.mean(dim=0).sign()
        step = _largest_step(own, direction, offsets[:1])
    sent = updates.clone()
    sent[malicious] = -step * direction + offsets
    return sent


def _offsets(updates: Tensor, num_malicious: int, epsilon: float, generator: torch.Generator | None) -> Tensor:
    """Where each malicious update lies relative to the first: ``[num_malicious, num_params]``, row 0 zero."""
    offsets = updates.new_zeros(num_malicious, updates.shape[1])
    if num_malicious > 1:
        directions = torch.empty_like(offsets[1:]).normal_(generator=generator)
        radii = torch.empty_like(offsets[1:, :1]).uniform_(generator=generator)
        offsets[1:] = epsilon * radii * torch.nn.functional.normalize(directions, dim=1)
    return offsets


def _largest_step(benign: Tensor, direction: Tensor, offsets: Tensor) -> float:
    """The first lambda of the halving at which Krum picks one of ``-lambda direction + offsets`` over ``benign``."""
    num_crafted, num_clients = len(offsets), len(benign) + len(offsets)
    step = _upper_bound(benign, num_clients, num_crafted)
    # Every crafted update is a combination of a few fixed vectors, so their inner products, taken once, give the
    # distances for any lambda without touching the parameters again.
    vectors = torch.cat([offsets, benign, direction[None]]).double()
    gram = vectors @ vectors.T
    while step >= SMALLEST_STEP:
        distances = squared_distances_from_gram(_combine(gram, num_crafted, step))
        if _krum_index(distances, num_crafted) < num_crafted:
            break
        step /= 2
    return step


def _combine(gram: Tensor, num_crafted: int, step: float) -> Tensor:
    """Inner products of {-step * direction + offsets, benign} from those of {offsets, benign, direction}."""
    mixing = torch.eye(len(gram) - 1, len(gram), dtype=gram.dtype, device=gram.device)
    mixing[:num_crafted, -1] = -step
    return mixing @ gram @ mixing.T


def _upper_bound(benign: Tensor, num_clients: int, num_malicious: int) -> float:
    num_params = benign.shape[1]
    num_neighbours = min(max(1, num_clients - num_malicious - 2), len(benign) - 1)
    spread = nearest_sums(pairwise_squared_distances(benign), num_neighbours=num_neighbours).min()
    margin = max(1, num_clients - 2 * num_malicious - 1)
    return float((spread / (margin * num_params)).sqrt() + norms(benign).max() / num_params**0.5)


def _krum_index(squared_distances: Tensor, num_malicious: int) -> int:
    num_neighbours = min(max(1, len(squared_distances) - num_malicious - 2), len(squared_distances) - 1)
    return int(nearest_sums(squared_distances, num_neighbours=num_neighbours).argmin())
