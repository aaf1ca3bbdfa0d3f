"""What malicious clients, however many and whatever they send, can make of a round of a rule of FLTrust's shape.

With |g_0| = 1, the aggregate of benign clients with mean mu and trust C, and of m malicious ones with unit vectors e_j
and trust x_j, is ``g = (C mu + sum_j x_j e_j) / (C + sum_j x_j)``. Along a direction it is a quotient of two sums over
the malicious clients. Such a quotient has its extremes where all of them send the same, as long as its divisor cannot
change its sign. So each bound is the extreme of a function of one angle, and somebody who sends that attains it.
"""

import math
from functools import partial

import torch
from torch import Tensor

from flt.functional.guarantees.benign_mean import BenignMean
from flt.functional.one_angle import best_angle
from flt.functional.trust import TrustShape


def guaranteed_progress(benign: BenignMean, num_malicious: int) -> float:
    """Least part of the root update that is in the aggregate, whatever m malicious clients send: ``<g, e_0> / |g_0|``.

    For FLTrust it is ``2 (sqrt(C^2 + m S) - C) / m`` with ``C = sum_i c_i`` and ``S = sum_i c_i^2`` over the benign
    clients' positive cosines, attained where every malicious cosine is half of it; S / C without malicious clients.
    Where short updates are not brought to the root's length, an update of no length with all the trust that there is
    does most: ``S / (C + m)``.

    Args:
        benign: The benign clients' mean.
        num_malicious: Malicious clients (m).

    Returns:
        The bound: above 0 as soon as one benign client is trusted. For equal scores it is ``(C a - m) / (C + m)``,
        where the benign mean has a along e_0, and may be below 0. Minus infinity for signed scores where malicious ones
        can cancel all of the benign clients' trust (m >= C).

    Example:
        >>> benign = BenignMean.of(torch.eye(3), torch.ones(3))  # all cosines are 0.577
        >>> round(guaranteed_progress(benign, 0), 3), round(guaranteed_progress(benign, 3), 3)
        (0.577, 0.478)
    """
    shape, trust = benign.shape, benign.trust
    if shape.score == "none" or num_malicious == 0:
        return benign.along
    if shape.score == "signed" and trust <= num_malicious:
        return -math.inf
    if trust == 0:
        return 0.0
    pull = trust * benign.along
    if shape.score == "equal":
        return (pull - num_malicious) / (trust + num_malicious) if shape.magnitude != "own" else -math.inf
    if shape.magnitude != "root":
        return pull / (trust + num_malicious)
    # The trust is a steeper function of the cosine where it begins at a least one.
    low, rise = shape.least_cosine, 1.0 - shape.least_cosine
    spare = max(pull - low * trust, 0.0)
    score = spare / (rise * trust + math.sqrt((rise * trust) ** 2 + num_malicious * rise * spare))
    return low + 2.0 * rise * score


def displacement_bound(benign: BenignMean, num_malicious: int) -> float:
    """Largest distance of the aggregate from the benign mean that m malicious clients can make, in lengths of g_0.

    For FLTrust it is the largest ``m x / (C + m x) sqrt((x - a)^2 + (sqrt(1 - x^2) + |p|)^2)`` over cosines x from 0 to
    1, where the benign mean has a along the root update and p across.

    Args:
        benign: The benign clients' mean, with known updates.
        num_malicious: Malicious clients (m).

    Returns:
        The bound; infinite where updates keep their own length, and for signed scores where m >= C.

    Example:
        >>> benign = BenignMean.of(torch.tensor([[1.0, 0.0]]), torch.tensor([2.0, 0.0]))
        >>> round(displacement_bound(benign, 1), 4)  # at a cosine of 0.562
        0.3367
    """
    shape, trust = benign.shape, benign.trust
    if shape.score == "none" or num_malicious == 0:
        return 0.0
    if shape.magnitude == "own" or (shape.score == "signed" and trust <= num_malicious):
        return math.inf
    values = partial(displacement, benign, num_malicious, length=1.0)
    best = best_angle(values, 0.0, widest_angle(shape), passes=3)
    found = float(displacement(benign, num_malicious, torch.tensor(best, dtype=torch.float64), 1.0))
    without_length = num_malicious / (trust + num_malicious) * benign.length
    return max(found, without_length) if shape.magnitude == "at_most_root" else found


def leverage(benign: BenignMean, num_malicious: int, *, bound: float | None = None) -> float:
    """The `displacement_bound` in lengths of the benign mean: how many times as far as that mean itself goes.

    It depends less on how many malicious clients there are than on the benign cosines: one at a cosine of 1 outweighs a
    benign client with cosine c 1 / c to 1.

    Args:
        benign: The benign clients' part, with its vector.
        num_malicious: Malicious clients in the round.
        bound: That bound, where it is known by now.

    Example:
        >>> benign = BenignMean.of(torch.tensor([[1.0, 0.0]]), torch.tensor([2.0, 0.0]))
        >>> round(leverage(benign, 1), 4)
        0.3367
    """
    if bound is None:
        bound = displacement_bound(benign, num_malicious)
    if bound == 0 or not benign.length > 0:
        return 0.0 if bound == 0 else math.inf
    return bound / benign.length


def widest_angle(shape: TrustShape, margin: float = 0.0) -> float:
    """The widest angle to the root update at which a client counts, less a margin where trust begins; in radians.

    Example:
        >>> round(math.degrees(widest_angle(TrustShape())))
        90
    """
    if shape.score in ("signed", "equal"):
        return math.pi
    widest = math.acos(shape.least_cosine)
    return widest - min(margin, widest / 2.0)


def displacement(benign: BenignMean, num_malicious: int, angles: Tensor, length: float) -> Tensor:
    """Distance of the aggregate from the benign mean where all malicious clients send ``cos e_0 - sin p / |p|``.

    Args:
        benign: The benign clients' mean.
        num_malicious: Malicious clients.
        angles: Theirs to the root update, from 0 to pi, float64, of any shape.
        length: To which the rule brings their updates, in lengths of the root update.
    """
    trust = num_malicious * benign.shape.scores(angles.cos())
    total = trust + benign.trust
    away = torch.hypot(length * angles.cos() - benign.along, length * angles.sin() + benign.across)
    return torch.where(total.abs() > 0, trust.abs() / total.abs(), 0.0) * away
