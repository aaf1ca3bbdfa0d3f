"""Sybils who hide how alike they are behind noise that cancels out."""

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import known, sent
from flt.functional.distances import inner_products, norms


def sybil_noise(
    updates: Tensor, malicious: Tensor, *, scale: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Updates of all clients with noise on the malicious ones that leaves their sum as it is.

    The first two malicious clients send ``a_1 + zeta`` and ``a_2 - zeta``, with a_i their own updates, the next two
    likewise; one that is left over sends its own. The vectors zeta of the pairs are orthogonal to one another, in
    directions drawn at random, and ``scale`` times as long as the mean length of the pair's updates. There are no more
    than ``num_params`` orthogonal ones; pairs beyond that start with the first one again.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        scale: Length of the noise in lengths of an update.
        generator: Source of the draws, ``[min(num_pairs, num_params), num_params]`` normal numbers, if there are pairs.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Fung, Yoon, Beschastnikh, The Limitations of Federated Learning in Sybil Settings, RAID 2020.

    Example:
        >>> honest, malicious = torch.ones(3, 4), torch.tensor([True, True, False])
        >>> sent = sybil_noise(honest, malicious)
        >>> bool((sent[0] @ sent[1]).abs() < 1e-5), torch.allclose(sent[0] + sent[1], 2 * honest[0])
        (True, True)
    """
    own = updates.index_select(0, known(updates, malicious, "partial"))
    num_pairs = len(own) // 2
    if not num_pairs:
        return updates
    draws = updates.new_empty(min(num_pairs, updates.shape[1]), updates.shape[1]).normal_(generator=generator)
    directions = _orthonormal(draws).repeat(-(-num_pairs // len(draws)), 1)[:num_pairs]
    lengths = norms(own)[: 2 * num_pairs].view(num_pairs, 2).mean(dim=1, keepdim=True)
    noise = scale * lengths * directions
    crafted = own.double()
    crafted[0 : 2 * num_pairs : 2] += noise
    crafted[1 : 2 * num_pairs : 2] -= noise
    return sent(updates, malicious, crafted)


def _orthonormal(vectors: Tensor) -> Tensor:
    """The orthonormal vectors that the method of Gram and Schmidt makes of some, in float64."""
    factor = torch.linalg.cholesky(inner_products(vectors, vectors))
    solved: Tensor = torch.linalg.solve_triangular(factor, vectors.double(), upper=False)
    return solved
