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
    return updates if len(own) < 2 else sent(updates, malicious, own.double() + _noise(own, scale, generator))


def sybil_turns(
    updates: Tensor,
    malicious: Tensor,
    histories: Tensor,
    *,
    max_cosine: float,
    scale: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients where malicious ones send their own, or noise alone where they would look too much alike.

    Malicious client i sends its update a_i if ``cos(h_i + a_i, h_j + a_j) <= max_cosine`` for every other malicious j,
    with h_i the sum of what it has sent before; else the noise that `sybil_noise` would add.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        histories: Sum of what each client has sent before, shape ``[num_clients, num_params]``; those of malicious ones
            are used.
        max_cosine: The largest cosine (M).
        scale: Length of the noise in lengths of an update.
        generator: Source of the draws, as in `sybil_noise`.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Fung, Yoon, Beschastnikh, The Limitations of Federated Learning in Sybil Settings, RAID 2020, Algorithm 2.

    Example:
        >>> honest, malicious = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), torch.tensor([True, True, False])
        >>> sybil_turns(honest, malicious, torch.zeros(3, 2), max_cosine=0.1).tolist()
        [[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]
    """
    rows = known(updates, malicious, "partial")
    if len(rows) < 2:
        return updates
    own = updates.index_select(0, rows)
    after = histories.index_select(0, rows) + own
    products = inner_products(after, after)
    lengths = products.diagonal().sqrt()
    cosines = torch.where(products == 0, 0.0, products / (lengths[:, None] * lengths)).fill_diagonal_(-1.0)
    is_alike = cosines.amax(dim=1, keepdim=True) > max_cosine
    return sent(updates, malicious, torch.where(is_alike, _noise(own, scale, generator), own.double()))


def _noise(own: Tensor, scale: float, generator: torch.Generator | None) -> Tensor:
    """Noise of two malicious clients or more that adds up to zero, float64 of the shape of their updates."""
    num_pairs = len(own) // 2
    draws = own.new_empty(min(num_pairs, own.shape[1]), own.shape[1]).normal_(generator=generator)
    directions = _orthonormal(draws).repeat(-(-num_pairs // len(draws)), 1)[:num_pairs]
    lengths = norms(own)[: 2 * num_pairs].view(num_pairs, 2).mean(dim=1, keepdim=True)
    noise = own.new_zeros(own.shape, dtype=torch.float64)
    noise[0 : 2 * num_pairs : 2] = scale * lengths * directions
    noise[1 : 2 * num_pairs : 2] = -noise[0 : 2 * num_pairs : 2]
    return noise


def _orthonormal(vectors: Tensor) -> Tensor:
    """The orthonormal vectors that the method of Gram and Schmidt makes of some, in float64."""
    factor = torch.linalg.cholesky(inner_products(vectors, vectors))
    solved: Tensor = torch.linalg.solve_triangular(factor, vectors.double(), upper=False)
    return solved
