"""SMEA, smallest maximum eigenvalue averaging: the mean of the updates that differ least along any direction."""

from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.choice import equal_shares
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum

AT_ONCE = 8192  # subsets that are looked at together
STEPS = 20  # of the power iteration by which subsets are ruled out
SAME = 1e-12  # relative difference of two variances that rounding may make


def smea(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """Mean of the ``n - f`` updates whose covariance has the smallest top eigenvalue.

    All ``n! / (f! (n - f)!)`` subsets are looked at, in some tenths of a second for a million of them.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``.

    Returns:
        The aggregate, shape ``[num_params]``. Of subsets that are as good the first one in lexicographic order counts.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Allouah et al., On the Privacy-Robustness-Utility Trilemma in Distributed Learning, ICML 2023.

    Example:
        >>> smea(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), num_byzantine=1)
        tensor([1.])
    """
    num_clients = len(updates)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: SMEA needs num_clients >= 2 * num_byzantine + 1, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    return WeightedSum.of(updates, smea_weights(Gram.of(updates), num_byzantine=num_byzantine)).mean()


def smea_weights(gram: Gram, *, num_byzantine: int) -> Tensor:
    """What each update counts in the mean that `smea` is, from inner products; float64, shape ``[num_clients]``."""
    chosen, _ = smea_select(gram, num_byzantine=num_byzantine)
    return equal_shares(chosen.nonzero().flatten(), len(chosen)).to(gram.along)


def smea_select(gram: Gram, *, num_byzantine: int) -> tuple[Tensor, float]:
    """Which ``n - f`` updates are in the mean, boolean of shape ``[n]``, and the top eigenvalue of their covariance.

    A subset is ruled out as soon as its variance along some direction is larger than what another has along any.
    """
    products = gram.relative.cpu()
    num_clients = len(products)
    chosen = torch.ones(num_clients, dtype=torch.bool)
    values, vectors = _spectrum(products, chosen)
    start = vectors[:, -1]
    for _ in range(num_byzantine):  # a good guess, which leaves less to look at
        chosen[torch.where(chosen, vectors[:, -1].abs(), -1.0).argmax()] = False
        values, vectors = _spectrum(products, chosen)
    # Half way between the others' variances, a power iteration tells the largest from them in the fewest steps.
    shift = float(values[[num_byzantine + 1, -2]].mean()) if num_clients > num_byzantine + 2 else 0.0
    least = float(values[-1]) * (1.0 + 1e3 * SAME) + torch.finfo(values.dtype).tiny
    for left_out in torch.split(_subsets(num_clients, num_byzantine), AT_ONCE):
        subsets = torch.ones(len(left_out), num_clients, dtype=torch.bool).scatter_(1, left_out.long(), False)
        subsets = _not_ruled_out(products, subsets, least, start=start, shift=shift)
        if len(subsets):
            variances = _spectrum(products, subsets)[0][:, -1]
            first = int((variances <= variances.min() * (1.0 + SAME)).nonzero()[0])
            if variances[first] < least * (1.0 - SAME):
                least, chosen = float(variances[first]), subsets[first]
    return chosen, least / max(1, num_clients - num_byzantine)


def num_subsets(num_clients: int, num_byzantine: int) -> int:
    """Subsets that there are to look at."""
    return comb(num_clients, num_byzantine)


@lru_cache(maxsize=4)
def _subsets(num_clients: int, num_left_out: int) -> Tensor:
    """Whom each subset leaves out, the lexicographically first subset first, shape ``[num_subsets, num_left_out]``."""
    count = comb(num_clients, num_left_out)
    flat = (client for left_out in combinations(range(num_clients), num_left_out) for client in left_out)
    table = np.fromiter(flat, np.int16, count * num_left_out).reshape(count, num_left_out)
    return torch.from_numpy(table[::-1].copy())  # whoever leaves out late clients has early ones


def _not_ruled_out(products: Tensor, subsets: Tensor, least: float, *, start: Tensor, shift: float) -> Tensor:
    """Those of the subsets whose sum of squares is not above ``least`` along any direction of a power iteration."""
    weights = start.expand(len(subsets), -1)
    for _ in range(STEPS):
        inside = weights * subsets
        weights = (inside - inside.sum(dim=1, keepdim=True) / subsets.sum(dim=1, keepdim=True)) * subsets
        weights = weights / weights.norm(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        along = weights @ products
        keep = (along * weights).sum(dim=1) <= least
        subsets, weights = subsets[keep], (along - shift * weights)[keep]
        if not len(subsets):
            break
    return subsets


def _spectrum(products: Tensor, subsets: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of the inner products of subsets about their means, zero for others."""
    member = subsets.to(products.dtype)
    centring = torch.diag_embed(member) - member[..., :, None] * member[..., None, :] / member.sum(-1)[..., None, None]
    values, vectors = torch.linalg.eigh(centring @ products @ centring)
    return values.clamp(min=0.0), vectors
