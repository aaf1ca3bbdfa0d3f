"""SignGuard: updates of ordinary length whose shares of positive, zero and negative signs are those of most."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.aggregation.bounding.signs import sign_counts
from flt.functional.aggregation.detection.mean_shift import largest_cluster
from flt.functional.blocks import column_blocks
from flt.functional.choice import check_some, whole_part
from flt.functional.distances import shortening
from flt.functional.rows import Rows

Feature = Literal["none", "cosine", "distance"]
SHORTEST, LONGEST = 0.1, 3.0  # lengths in medians between which an update is an ordinary one
TINY = 1e-8


class Guarded(NamedTuple):
    """What `signguard` makes of each update.

    Attributes:
        kept: Which clients it keeps, boolean of shape ``[num_clients]``.
        scales: What each update is multiplied by, shape ``[num_clients]``.
    """

    kept: Tensor
    scales: Tensor


def signguard(
    updates: Tensor, block: slice | None = None, last: Tensor | None = None, *, feature: Feature = "none"
) -> Tensor:
    """Mean of the updates of ordinary length and ordinary signs, none longer than the median length M.

    Of ordinary length are those with ``0.1 M < |g_i| < 3 M``, of ordinary signs those in the largest cluster of mean
    shift on the shares of positive, zero and negative signs among some coordinates, each share in units of the largest
    of all clients. Where no update is both, length alone decides.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        block: The coordinates whose signs count; None for all.
        last: The aggregate of the round before, shape ``[num_params]``; None in the first round.
        feature: What is clustered besides: "cosine" of each update with ``last`` (SignGuard-Sim), its "distance" from
            it (SignGuard-Dist), or "none".

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If ``feature`` is none of these, or there are no updates.

    Reference:
        Xu et al., Byzantine-robust Federated Learning through Collaborative Malicious Gradient Filtering, ICDCS 2022.

    Example:
        >>> signguard(torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0], [-1.0, -2.0], [0.0, 99.0]]))
        tensor([1.3333, 1.3333])
    """
    check_some(updates)
    check_choice("feature", feature, Feature)
    rows = Rows(updates)
    kept, scales = signguard_filter(rows, slice(None) if block is None else block, last, feature=feature)
    return rows.mean(kept, scales)


def block_of(num_params: int, *, share: float, draw: float) -> slice:
    """The block of ``floor(share * num_params)`` neighbouring coordinates, at least one, that begins at a random place.

    Args:
        num_params: Length of an update.
        share: Share of the coordinates in it, in (0, 1].
        draw: A random number in [0, 1), which decides on the place.
    """
    size = max(whole_part(share, num_params), 1)
    start = int(draw * (num_params - size + 1))
    return slice(start, start + size)


def signguard_filter(rows: Rows, block: slice, last: Tensor | None, *, feature: Feature) -> Guarded:
    """Whom `signguard` keeps, and how far it shortens each update."""
    lengths = rows.norms
    longest = lengths.quantile(0.5)
    is_ordinary = (SHORTEST * longest < lengths) & (lengths < LONGEST * longest)
    features = sign_shares(rows.columns(block))
    if feature != "none" and last is not None:
        features = torch.cat([features, _relative(rows, last, feature)[:, None]], dim=1)
    largest = features.abs().max(dim=0).values
    in_cluster = largest_cluster((features / (largest + TINY)).numpy(force=True))
    both = is_ordinary & torch.from_numpy(in_cluster).to(lengths.device)
    return Guarded(both if bool(both.any()) else is_ordinary, shortening(lengths, longest))


def sign_shares(updates: Tensor) -> Tensor:
    """Each update's shares of positive, zero and negative entries, float64 of shape ``[num_clients, 3]``."""
    balance, signed = sign_counts(column_blocks(updates)).unbind()
    kinds = [(signed + balance) / 2, updates.shape[1] - signed, (signed - balance) / 2]
    return torch.stack(kinds, dim=1) / updates.shape[1]


def _relative(rows: Rows, last: Tensor, feature: Feature) -> Tensor:
    """Cosine of each update with the last aggregate, or its distance from it, float64 of shape ``[num_clients]``."""
    if feature == "distance":
        return rows.distances_to(last)
    lengths = rows.exact_norms * last.double().square().sum().sqrt()
    return torch.where(lengths > 0, rows.products_with(last) / lengths, 0.0)
