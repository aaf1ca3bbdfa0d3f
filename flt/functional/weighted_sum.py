"""Weighted means that can be taken of a part of the clients at a time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from flt.functional.blocks import float64_blocks

ROWS = 256  # vectors that are added in float32; sums of so many keep five digits


class WeightedSum(NamedTuple):
    """A sum of weighted vectors, and the weight it has; the sums of two parts of the clients add up.

    Attributes:
        values: ``sum_i f_i v_i``, float64 of shape ``[num_values]``.
        total: ``sum_i w_i``, a float64 scalar; the weights are the factors unless vectors are rescaled as well.
        dtype: The vectors' own.
    """

    values: Tensor
    total: Tensor
    dtype: torch.dtype = torch.float32

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
        else:
            values = _sum_of_rows(vectors, factors.to(vectors.dtype))
        return cls(values, total, vectors.dtype)

    def plus(self, other: WeightedSum) -> WeightedSum:
        """The sum over the clients of both."""
        return WeightedSum(self.values + other.values, self.total + other.total, self.dtype)

    def mean(self) -> Tensor:
        """``sum_i f_i v_i / sum_i w_i``, shape ``[num_values]``; zero where the weights add up to 0."""
        if not len(self.values):
            return self.values
        # In float64: the reciprocal of a small total would overflow float32 where the mean does not.
        return (self.values / self.divisor).to(self.dtype)

    @property
    def divisor(self) -> Tensor:
        """What makes a share of something weighted: ``total``, or infinity where that is 0."""
        return self.total.masked_fill(self.total == 0, torch.inf)


def _sum_of_rows(vectors: Tensor, factors: Tensor) -> Tensor:
    """``sum_i f_i v_i`` in float64, from products in the vectors' own dtype."""
    # Matrix-vector products: the rescaled vectors are never written to memory. Among 100,000 clients that send the
    # same, a single one would be wrong in the third digit.
    if len(vectors) <= ROWS:
        return (factors @ vectors).double()
    values = vectors.new_zeros(vectors.shape[1], dtype=torch.float64)
    for some, own in zip(torch.split(vectors, ROWS), torch.split(factors, ROWS), strict=True):
        values += own @ some
    return values
