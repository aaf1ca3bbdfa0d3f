"""The rows that a rule sees: the clients' updates, or linear mixtures of them that nobody has to write down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flt.functional.blocks import column_blocks, copied_blocks, float64_blocks, joined
from flt.functional.distances import all_finite, cosines_of_length, inner_products, norms
from flt.functional.gram import Gram
from flt.functional.trust import TrustShape
from flt.functional.weighted_sum import WeightedSum

SMALLEST_FACTOR = 1e-18
"""Below which a product of float32 with an update of ordinary length is taken in float64."""

LEAST_LEFT = 1e-3
"""Of the lengths of what is mixed, the share that a mixture keeps where float32 tells its direction."""

MANY = 2**20
"""Above which a norm takes no longer than a sum, and a pass over numbers is worth saving."""


@dataclass(frozen=True)
class Rows:
    """Updates as they are, or as mixtures ``mixing @ updates`` that are made a few columns at a time.

    Whatever several rules or pre-aggregations ask for, such as the Gram matrix, is computed once.

    Attributes:
        updates: Shape ``[num_clients, num_params]``.
        mixing: Float64 of shape ``[num_rows, num_clients]``; None for the updates themselves.
        unmixed: The rows before the last mixing, whose Gram matrix this one's follows from, and that mixing.
        known_gram: The Gram matrix of updates that somebody knows without reading them; None where nobody does.
        is_finite: Whether the updates are known to hold neither a NaN nor an infinity.
    """

    updates: Tensor
    mixing: Tensor | None = None
    unmixed: tuple[Rows, Tensor] | None = None
    known_gram: Callable[[], Gram] | None = None
    is_finite: bool = False

    def __len__(self) -> int:
        return len(self.updates if self.mixing is None else self.mixing)

    @property
    def num_params(self) -> int:
        """Number of columns."""
        return self.updates.shape[1]

    @cached_property
    def tensor(self) -> Tensor:
        """The rows written down, shape ``[num_rows, num_params]``: for mixtures a second copy of the updates."""
        return self._made_of(self.updates)

    def _made_of(self, block: Tensor, chosen: Tensor | None = None) -> Tensor:
        """These rows, or some, in the columns of which ``block`` holds the updates, in its dtype."""
        if self.mixing is None:
            return block if chosen is None else block.index_select(0, chosen)
        if self._scales is not None:
            rows = self._scales.to(block.dtype)[:, None] * block
            return rows if chosen is None else rows[chosen]
        if self._picked is not None:
            return block.index_select(0, self._picked if chosen is None else self._picked[chosen])
        mixing = self.mixing if chosen is None else self.mixing[chosen]
        return mixing.to(block.dtype) @ block

    @cached_property
    def _scales(self) -> Tensor | None:
        """What each update is multiplied by, where none is mixed with another; else None."""
        return None if self.mixing is None else _diagonal(self.mixing)

    @cached_property
    def _picked(self) -> Tensor | None:
        """Which update each row is, where every row is one as it was sent; else None."""
        return None if self.mixing is None else _places(self.mixing)

    @cached_property
    def gram(self) -> Gram:
        """Their inner products."""
        if self.unmixed is None:
            return Gram.of(self.updates) if self.known_gram is None else self.known_gram()
        rows, mixing = self.unmixed
        picked = _places(mixing)
        return rows.gram.mixed(mixing) if picked is None else rows.gram.picked(picked)

    @cached_property
    def norms(self) -> Tensor:
        """Euclidean norm of each row, float64, shape ``[num_rows]``."""
        if self.unmixed is None:
            return norms(self.updates)
        rows, mixing = self.unmixed
        scales, picked = _diagonal(mixing), _places(mixing)  # of which no Gram matrix is needed
        if picked is not None:
            return rows.norms[picked]
        return self.gram.norms if scales is None else rows.norms * scales.abs()

    @cached_property
    def all_finite(self) -> bool:
        """Whether they hold neither a NaN nor an infinity.

        Of many updates on a CPU, it is their norms that tell: whoever asks for those next has them without a pass. Of
        mixtures too, so that none is written down: no number in one is larger than the sum of its updates' lengths.
        """
        if self.unmixed is not None and bool((self.reach < torch.finfo(self.updates.dtype).max).all()):
            return True
        if not self.is_finite and self.unmixed is None and self.updates.numel() > MANY and not self.updates.is_cuda:
            return bool(self.norms.isfinite().all())
        return self.is_finite or all_finite(self.tensor)

    @cached_property
    def reach(self) -> Tensor:
        """What no row is longer than: the lengths of all that is mixed in it, float64, shape ``[num_rows]``."""
        if self.unmixed is None:
            return self.norms
        rows, mixing = self.unmixed
        return mixing.abs() @ rows.reach

    @cached_property
    def are_known(self) -> bool:
        """Whether the rows' directions follow from the updates, with a float's digits: mixtures need not be written.

        Of few numbers nothing is spared by that. Where updates cancel in a mixture, little is known of what is left.
        """
        if self.mixing is None:
            return True
        return self.updates.numel() > MANY and bool((self.norms >= LEAST_LEFT * self.reach).all())

    @cached_property
    def exact_norms(self) -> Tensor:
        """The `norms` to float64's precision: of which little may be left in a difference of cosines."""
        if self.mixing is not None:
            return self.gram.norms
        squares = self.updates.new_zeros(len(self), dtype=torch.float64)
        for block in float64_blocks(self.updates):
            squares += torch.linalg.vecdot(block, block)
        return squares.sqrt()

    def blocks(self) -> Iterator[Tensor]:
        """The rows some columns at a time, each block of shape ``[num_rows, num_columns]``."""
        return map(self._made_of, column_blocks(self.updates))

    def mixed(self, mixing: Tensor) -> Rows:
        """The rows ``mixing @ self``, for a matrix of shape ``[num_rows, len(self)]``."""
        mixing = mixing.double()
        return Rows(self.updates, mixing if self.mixing is None else mixing @ self.mixing, (self, mixing))

    def picked(self, places: Tensor) -> Rows:
        """Some of the rows as they are, by their indices, without a copy of them."""
        mixing = torch.zeros(len(places), len(self), dtype=torch.float64, device=self.updates.device)
        return self.mixed(mixing.scatter_(1, places.to(mixing.device)[:, None], 1.0))

    def row(self, index: int | slice | Tensor) -> Tensor:
        """A copy of one row, shape ``[num_params]``, or of some, shape ``[num_chosen, num_params]``."""
        if self.mixing is None:
            return self.updates[index].clone()
        if self._picked is not None:
            return self.updates[self._picked[index]].clone()
        return self.mixing[index].to(self.updates.dtype) @ self.updates

    def weighted_sum(self, factors: Tensor, weights: Tensor | None = None, *, exact: bool = False) -> WeightedSum:
        """`WeightedSum.of` these rows; without writing them down."""
        if self.mixing is None:
            return WeightedSum.of(self.updates, factors, weights, exact=exact)
        counted, factors = factors if weights is None else weights, factors.double() @ self.mixing
        return WeightedSum.of(self.updates, factors, counted, exact=exact or is_too_small(factors))

    def scaled_sum(self, shares: Tensor, scales: Tensor | None = None) -> WeightedSum:
        """The sum behind the mean of the rescaled rows, ``sum_i a_i s_i x_i`` of weight ``sum_i a_i``.

        Args:
            shares: What each row counts, a_i, shape ``[num_rows]``.
            scales: What each is multiplied by before, s_i, shape ``[num_rows]``; None leaves them.
        """
        if scales is None:
            return self.weighted_sum(shares)
        factors = shares.double() * scales
        return self.weighted_sum(factors, shares, exact=is_too_small(factors))

    def mean(self, weights: Tensor, scales: Tensor | None = None) -> Tensor:
        """The mean of the rescaled rows, shape ``[num_params]``; see `as_shares` and `scaled_sum`.

        Example:
            >>> Rows(torch.tensor([[4.0], [2.0], [9.0]])).mean(torch.tensor([True, True, False]))
            tensor([3.])
        """
        return self.scaled_sum(as_shares(weights), scales).mean()

    def products_with(self, vector: Tensor) -> Tensor:
        """Inner product of each row with a vector of shape ``[num_params]``, float64, shape ``[num_rows]``."""
        products = inner_products(self.updates, vector[None])[:, 0]
        return products if self.mixing is None else self.mixing @ products

    def cosines_with(self, vector: Tensor, length: Tensor, lengths: Tensor) -> Tensor:
        """Cosine of each row with a vector, dtype of the updates, shape ``[num_rows]``; 0 where either has length 0.

        Args:
            vector: Shape ``[num_params]``.
            length: Its norm, a float64 scalar.
            lengths: The rows' norms, 0 for those that are as good as zero, float64 of shape ``[num_rows]``.
        """
        if self.mixing is None:
            return cosines_of_length(self.updates, lengths, vector, length)
        scales = lengths * length
        return torch.where(scales > 0, self.products_with(vector) / scales, 0.0).clamp(-1.0, 1.0).to(self.updates.dtype)

    def distances_to(self, vector: Tensor) -> Tensor:
        """Distance of each row from a vector of shape ``[num_params]``, float64, shape ``[num_rows]``."""
        squares = self.updates.new_zeros(len(self), dtype=torch.float64)
        for block, piece in zip(float64_blocks(self.updates), column_blocks(vector[None]), strict=True):
            squares += self._made_of(block).sub_(piece.double()).square_().sum(dim=1)
        return squares.sqrt()

    def distances_in_parts(self, vector: Tensor, part_of: Tensor, num_parts: int) -> Tensor:
        """Distance of each row from a vector in each part of the columns, float64, shape ``[num_rows, num_parts]``.

        Args:
            vector: Shape ``[num_params]``.
            part_of: The part that each column is in, shape ``[num_params]``.
            num_parts: Number of parts.

        Example:
            >>> rows, zero = Rows(torch.tensor([[3.0, 1.0, 4.0]])), torch.zeros(3)
            >>> rows.distances_in_parts(zero, torch.tensor([0, 1, 0]), 2)
            tensor([[5., 1.]], dtype=torch.float64)
        """
        squares = self.updates.new_zeros(len(self), num_parts, dtype=torch.float64)
        pieces = column_blocks(vector[None]), column_blocks(part_of[None])
        for block, piece, part in zip(float64_blocks(self.updates), *pieces, strict=True):
            squares.index_add_(1, part[0], (self._made_of(block) - piece.double()).square())
        return squares.sqrt()

    def by_columns(self, function: Callable[[Tensor], Tensor], chosen: Tensor | None = None) -> Tensor:
        """Applies ``function``, ``[num_rows, num_columns]`` to ``[num_columns]``, to each column.

        Updates that are not mixed come all at once; mixtures, and some of the rows, some columns at a time.

        Args:
            function: What is made of columns.
            chosen: Indices of the rows that it gets; None for all.
        """
        if self.mixing is None and chosen is None:
            return function(self.updates)
        pieces = (function(self._made_of(block, chosen)) for block in copied_blocks(self.updates))
        return joined(pieces, self.num_params)

    def columns(self, indices: Tensor | slice) -> Tensor:
        """Some columns, shape ``[num_rows, num_columns]``; neighbouring ones of rows that are not mixed are a view."""
        return self._made_of(self.updates[:, indices])


@dataclass(frozen=True)
class OfRows:
    """A function of updates that can also be given `Rows`, of which more may be known than their numbers.

    Attributes:
        rows: The function of rows.
        shape: How it weighs and scales them where it is a rule of FLTrust's shape, and nothing is done to the rows
            before; None for any other function.
    """

    rows: Callable[[Rows], Tensor]
    shape: TrustShape | None = None

    def __call__(self, updates: Tensor) -> Tensor:
        """What the function makes of updates of shape ``[num_clients, num_params]``."""
        return self.rows(Rows(updates))


def as_shares(weights: Tensor) -> Tensor:
    """Weights of any length and dtype, a mask say, as shares whose absolute values add up to 1; zeros stay zeros."""
    weights = weights if weights.is_floating_point() else weights.double()
    # Shares keep a sum below the largest summand; float32, in which it is taken, holds neither 1e-50 nor 1e50.
    return weights / weights.abs().sum(dtype=torch.float64) if bool(weights.any()) else weights


def is_too_small(factors: Tensor) -> bool:
    """Whether one of the factors would lose its digits in float32, as one does that shortens a very long update."""
    return bool(((factors != 0) & (factors.abs() < SMALLEST_FACTOR)).any())


def _places(mixing: Tensor) -> Tensor | None:
    """Where each row of a matrix has its 1, if nothing else is in it; else None."""
    if not bool((mixing.count_nonzero(dim=1) == 1).all()):
        return None
    largest, places = mixing.max(dim=1)
    return places if bool((largest == 1.0).all()) else None


def _diagonal(mixing: Tensor) -> Tensor | None:
    """The diagonal of a matrix that is zero elsewhere; None for any other."""
    if len(mixing) != mixing.shape[1] or int(mixing.count_nonzero()) > len(mixing):
        return None
    diagonal = mixing.diagonal()
    return diagonal if bool((mixing.count_nonzero() == diagonal.count_nonzero()).all()) else None
