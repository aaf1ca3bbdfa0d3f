"""Divide-and-conquer: drops the updates that stand out along the direction in which updates differ most."""

from collections.abc import Iterable

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.choice import equal_shares, smallest, whole_part
from flt.functional.gram import Gram
from flt.functional.rows import Rows


def dnc(
    updates: Tensor, *, num_byzantine: int, filter_fraction: float = 1.0, coordinates: Tensor | None = None
) -> Tensor:
    """Mean of the updates that are no outliers along the top singular vector of the centred updates.

    In each repetition the ``floor(c f)`` updates with the largest ``<g_i - mean, v>^2`` are dropped, v the top right
    singular vector; the mean is that of the updates which no repetition has dropped.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f.
        filter_fraction: Updates to drop per malicious client (c); ``floor(c f) < num_clients``.
        coordinates: Indices of the coordinates that each repetition looks at, shape ``[repetitions, b]``; None for one
            repetition with all of them.

    Returns:
        The aggregate, shape ``[num_params]``. Where every update was dropped by some repetition, it is the mean of
        those that most repetitions have kept.

    Raises:
        InputError: If ``filter_fraction`` is not above 0, or nobody would be left.

    Reference:
        Shejwalkar and Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning, NDSS 2021.

    Example:
        >>> dnc(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), num_byzantine=1)
        tensor([1.])
    """
    check_filter_fraction("filter_fraction", filter_fraction)
    num_dropped = dropped_of(num_byzantine, filter_fraction)
    if num_byzantine < 0 or num_dropped >= len(updates):
        raise InputError(
            f"num_byzantine={num_byzantine}: DnC drops {num_dropped} updates, and there are {len(updates)} clients (at"
            f" most {len(updates) - 1} can be dropped)"
        )
    rows = Rows(updates)
    scores = torch.stack(list(dnc_scores(rows, coordinates)))
    return rows.weighted_sum(dnc_weights(scores, num_dropped=num_dropped)).mean()


def check_filter_fraction(name: str, filter_fraction: float) -> None:
    """Raises an `InputError` unless updates can be dropped by this number for each malicious client."""
    if not 0.0 < filter_fraction < float("inf"):
        raise InputError(f"{name}={filter_fraction}: set it above 0, such as 1.0")


def dropped_of(num_byzantine: int, filter_fraction: float) -> int:
    """Updates that a repetition drops, ``floor(c f)``."""
    return whole_part(filter_fraction, num_byzantine)


def dnc_scores(rows: Rows, coordinates: Tensor | None = None) -> Iterable[Tensor]:
    """``<g_i - mean, v>^2`` of each row i in each repetition, float64, shape ``[num_rows]`` each."""
    if coordinates is None:
        yield outlier_scores(rows.gram)
    else:
        for chosen in coordinates:
            yield outlier_scores(Gram.of(rows.columns(chosen)))


def outlier_scores(gram: Gram) -> Tensor:
    """``<g_i - mean, v>^2`` with v the top right singular vector of the centred rows, ``(sigma u_i)^2``; float64."""
    equal = torch.full_like(gram.along, 1.0 / max(1, len(gram.along)))
    values, vectors = torch.linalg.eigh(gram.centred(equal))
    scores: Tensor = values[-1].clamp(min=0.0) * vectors[:, -1].square()
    return scores


def dnc_weights(scores: Tensor, *, num_dropped: int) -> Tensor:
    """Weights of the mean, from the scores of each repetition, shape ``[repetitions, num_clients]``."""
    num_clients = scores.shape[1]
    times_kept = torch.zeros_like(scores[0])
    for one in scores:
        times_kept[smallest(one, num_clients - num_dropped)] += 1.0
    return equal_shares((times_kept == times_kept.max()).nonzero().flatten(), num_clients)
