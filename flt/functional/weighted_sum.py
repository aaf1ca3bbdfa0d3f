"""Weighted means that can be taken of a part of the clients at a time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from flt.functional.blocks import float64_blocks

ROWS = 256  # vectors that are added in float32; sums of so many keep five digits
ADDED_AT_ONCE = 2**16  # numbers, so that they stay in a processor's cache


class WeightedSum(NamedTuple):
    """A sum of weighted vectors, and the weight it has; the sums of two parts of the clients add up.

    Attributes:
        values: What `sums` are made of, shape ``[num_values]``: in float64, or in the vectors' own dtype where nothing
            has been added yet.
        total: ``sum_i w_i``, a float64 scalar; the weights are the factors unless vectors are rescaled as well.
        dtype: The vectors' own.
        factor: What values are still to be multiplied by: those of a single vector, which is not copied; None for
            nothing.
    """

    values: Tensor
    total: Tensor
    dtype: torch.dtype = torch.float32
    factor: Tensor | None = None

    @classmethod
    def of(cls, vectors: Tensor, factors: Tensor, weights: Tensor | None = None, *, exact: bool = False) -> WeightedSum:
        """The sum over the rows of ``vectors``.

        Args:
            vectors: Shape ``[num_clients, num_values]``.
            factors: What each is multiplied by, f_i, shape ``[num_clients]``.
            weights: What each counts in the mean, w_i, shape ``[num_clients]``; None for the factors.
            exact: Whether to multiply in float64, some ten times as slow: for factors that float32 cannot hold.
        """
        total = (factors if weights is None else weights).sum(dtype=torch.float64)
        if not vectors.shape[1]:
            return cls(vectors.new_zeros(0), total, vectors.dtype)
        if exact:
            values = torch.cat([factors @ block for block in float64_blocks(vectors)])
        elif len(vectors) == 1 and vectors.dtype == torch.float32:
            return cls(vectors[0], total, vectors.dtype, factors[0].to(vectors.dtype))
        else:
            values = _sum_of_rows(vectors, factors.to(vectors.dtype))
        return cls(values, total, vectors.dtype)

    @property
    def sums(self) -> Tensor:
        """``sum_i f_i v_i``, shape ``[num_values]``, in the dtype of ``values``."""
        return self.values if self.factor is None else self.values * self.factor

    def plus(self, other: WeightedSum) -> WeightedSum:
        """The sum over the clients of both."""
        return self._replace(values=self.sums.to(torch.float64, copy=True), factor=None).add_(other)

    def add_(self, other: WeightedSum) -> WeightedSum:
        """The same, written over the values of this sum where they are in float64: for one that nobody else has."""
        values, more = self.sums.detach().double(), other.values.detach()
        # All at once, torch would write down a copy of values in another dtype.
        size = ADDED_AT_ONCE if values.device.type == "cpu" else max(1, len(values))
        for some, piece in zip(torch.split(values, size), torch.split(more, size), strict=True):
            some += piece if other.factor is None else piece * other.factor
        return WeightedSum(values, self.total + other.total, self.dtype)

    def mean(self) -> Tensor:
        """``sum_i f_i v_i / sum_i w_i``, shape ``[num_values]``; zero where the weights add up to 0."""
        if not len(self.values):
            return self.values.to(self.dtype)
        # In float64: the reciprocal of a small total would overflow float32 where the mean does not.
        return (self.sums.double() / self.divisor).to(self.dtype)

    @property
    def divisor(self) -> Tensor:
        """What makes a share of something weighted: ``total``, or infinity where that is 0."""
        return self.total.masked_fill(self.total == 0, torch.inf)


def _sum_of_rows(vectors: Tensor, factors: Tensor) -> Tensor:
    """``sum_i f_i v_i``, from products in the vectors' own dtype; in float64 where there are many."""
    # Matrix-vector products: the rescaled vectors are never written to memory. Among 100,000 clients that send the
    # same, a single one would be wrong in the third digit.
    if len(vectors) <= ROWS:
        return factors @ vectors
    values = vectors.new_zeros(vectors.shape[1], dtype=torch.float64)
    for some, own in zip(torch.split(vectors, ROWS), torch.split(factors, ROWS), strict=True):
        values += own @ some
    return values
