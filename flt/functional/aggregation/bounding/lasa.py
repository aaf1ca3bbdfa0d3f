"""LASA: layer by layer, the mean of sparse updates whose length and signs are those of most."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from flt.errors import InputError, check_choice, check_not_negative
from flt.functional.aggregation.bounding.signs import sign_counts
from flt.functional.blocks import as_numpy_holds, column_blocks, in_threads, joined
from flt.functional.choice import check_some, whole_part
from flt.functional.distances import norms, shortening
from flt.functional.layout import Piece

Average = Literal["sparse", "dense"]
TIE = 1e-9  # in standard deviations: of two clients each is exactly one of them from the median
MANY = 2**22  # numbers that a GPU puts in order at once


class Layered(NamedTuple):
    """What `lasa_layers` finds.

    Attributes:
        aggregate: Shape ``[num_params]``.
        kept: Which updates are in the mean of each tensor, boolean of shape ``[num_clients, num_tensors]``.
    """

    aggregate: Tensor
    kept: Tensor


def lasa(
    updates: Tensor,
    layout: Sequence[Piece] = (),
    *,
    sparsity: float = 0.3,
    norm_bound: float = 1.0,
    sign_bound: float = 1.0,
    average: Average = "sparse",
) -> Tensor:
    """Tensor by tensor, the mean of the updates whose length and share of positive signs are close to the median's.

    First updates longer than the median length are shortened to it. Then, of the weights of each client, those of
    matrices and convolutions, only the largest are left. What is "close" is measured in standard deviations.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        layout: Shape and place of each parameter tensor; empty for a single matrix.
        sparsity: Part of a client's weights that is set to zero, at least 0 and less than 1; 0 leaves them.
        norm_bound: Standard deviations from the median length that an update's part may have, 0 or more.
        sign_bound: The same of the share of positive signs.
        average: Whether the mean is taken of the "sparse" updates or of the "dense" ones before.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If a setting is out of range, or there are no updates.

    Reference:
        Xu, Zhang and Hu, Achieving Byzantine-Resilient Federated Learning via Layer-Adaptive Sparsified Model
        Aggregation, WACV 2025.

    Example:
        >>> lasa(torch.tensor([[4.0, 1.0, 3.0], [4.0, 1.0, 3.0], [-9.0, 5.0, 0.0]]), sparsity=0.0)
        tensor([4., 1., 3.])
    """
    check_some(updates)
    check_lasa(sparsity=sparsity, norm_bound=norm_bound, sign_bound=sign_bound, average=average)
    bounds = {"norm_bound": norm_bound, "sign_bound": sign_bound}
    return lasa_layers(updates, norms(updates), layout, sparsity=sparsity, average=average, **bounds).aggregate


def lasa_layers(
    updates: Tensor,
    lengths: Tensor,
    layout: Sequence[Piece],
    *,
    sparsity: float,
    norm_bound: float,
    sign_bound: float,
    average: Average,
) -> Layered:
    """The rule behind `lasa`, where the lengths of the updates are known, shape ``[num_clients]``."""
    pieces = layout or [Piece("update", (updates.shape[1], 1), slice(0, updates.shape[1]))]
    scales = shortening(lengths, lengths.quantile(0.5))
    least = _least_of_weights(updates, pieces, sparsity)
    aggregate, kept = [], []
    for piece in pieces:
        cut = least if _holds_weights(piece) else None
        norm, positive = _measures(updates, piece, cut, sparsity)
        chosen = (_deviations(scales * norm) < norm_bound - TIE) & (_deviations(positive) < sign_bound - TIE)
        chosen = chosen if chosen.any() else torch.ones_like(chosen)
        shares = chosen.double() / chosen.sum() * scales
        blocks = _blocks(updates, piece, None if average == "dense" else cut)
        means = ((shares @ block.double()).to(block.dtype) for block in blocks)
        aggregate.append(joined(means, piece.place.stop - piece.place.start))
        kept.append(chosen)
    return Layered(torch.cat(aggregate), torch.stack(kept, dim=1))


def check_lasa(*, sparsity: float, norm_bound: float, sign_bound: float, average: str, prefix: str = "") -> None:
    """Raises an `InputError` if a setting is out of range; ``prefix`` comes before its name."""
    if not 0 <= sparsity < 1:
        raise InputError(f"{prefix}sparsity={sparsity} must be at least 0 and less than 1")
    check_not_negative(f"{prefix}norm_bound", norm_bound)
    check_not_negative(f"{prefix}sign_bound", sign_bound)
    check_choice(f"{prefix}average", average, Average)


def _holds_weights(piece: Piece) -> bool:
    """Whether a tensor is a matrix or a convolution's, whose small entries are set to zero."""
    return len(piece.shape) in (2, 4)


def _least_of_weights(updates: Tensor, pieces: Sequence[Piece], sparsity: float) -> Tensor | None:
    """The k-th largest of each client's weights, ``[num_clients]``, above which they are left; None to leave all."""
    places = [piece.place for piece in pieces if _holds_weights(piece)]
    count = sum(place.stop - place.start for place in places)
    if not sparsity or not count:
        return None
    rank = count - max(1, whole_part(1.0 - sparsity, count)) + 1  # from the smallest

    def fill(found: Tensor, some: Tensor) -> None:
        if some.device.type != "cpu":
            found.copy_(torch.cat([some[:, place] for place in places], dim=1).abs().kthvalue(rank, dim=1).values)
            return
        weights = np.concatenate([some[:, place].numpy() for place in places], axis=1)
        np.abs(weights, out=weights).partition(rank - 1, axis=1)  # several times as fast as torch's
        found.numpy()[:] = weights[:, rank - 1]

    at_once = 1 if updates.device.type == "cpu" else max(1, MANY // count)
    given = as_numpy_holds(updates)
    least = given.new_empty(len(given))
    in_threads(fill, torch.split(least, at_once), torch.split(given, at_once))
    return least.to(updates.dtype)


def _blocks(updates: Tensor, piece: Piece, least: Tensor | None) -> Iterator[Tensor]:
    """The updates in a tensor's place, some columns at a time, entries not above ``least`` set to zero."""
    for block in column_blocks(updates[:, piece.place]):
        yield block if least is None else block * (block.abs() > least[:, None])


def _measures(updates: Tensor, piece: Piece, least: Tensor | None, sparsity: float) -> tuple[Tensor, Tensor]:
    """Length and share of positive signs of each update in a tensor, both float64 of shape ``[num_clients]``."""
    squares = updates.new_zeros(len(updates), dtype=torch.float64)
    counts = squares.new_zeros(2, len(updates))
    for block in _blocks(updates, piece, least):
        squares += block.double().square().sum(dim=1)
        counts += sign_counts([block])
    return squares.sqrt(), 0.5 * (1.0 + (1.0 - sparsity) * counts[0] / counts[1].clamp(min=1.0))


def _deviations(values: Tensor) -> Tensor:
    """Distances from the median in standard deviations; 0 where all values are the same."""
    spread = values.std(correction=0)
    apart = (values - values.quantile(0.5)).abs()
    # What rounding makes of equal values is no spread.
    return torch.where(spread > 1e-12 * values.abs().max(), apart / spread, 0.0)
