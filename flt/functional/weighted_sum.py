"""Weighted means that can be taken of a part of the clients at a time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class WeightedSum(NamedTuple):
    """A sum of weighted vectors, and the weight it has; the sums of two parts of the clients add up.

    Attributes:
        values: ``sum_i f_i v_i``, shape ``[num_values]``.
        total: ``sum_i w_i``, a float64 scalar; the weights are the factors unless vectors are rescaled as well.
    """

    values: Tensor
    total: Tensor

    @classmethod
    def of(cls, vectors: Tensor, factors: Tensor, weights: Tensor | None = None) -> WeightedSum:
        """The sum over the rows of ``vectors``.

        Args:
            vectors: Shape ``[num_clients, num_values]``.
            factors: What each is multiplied by, f_i, shape ``[num_clients]``.
            weights: What each counts in the mean, w_i, shape ``[num_clients]``; None for the factors.
        """
        total = (factors if weights is None else weights).sum(dtype=torch.float64)
        if not vectors.shape[1]:
            return cls(vectors.new_zeros(0), total)
        # One matrix-vector product: the rescaled vectors are never written to memory.
        return cls(factors.to(vectors.dtype) @ vectors, total)

    def plus(self, other: WeightedSum) -> WeightedSum:
        """The sum over the clients of both."""
        return WeightedSum(self.values + other.values, self.total + other.total)

    def mean(self) -> Tensor:
        """``sum_i f_i v_i / sum_i w_i``, shape ``[num_values]``; zero where the weights add up to 0."""
        if not len(self.values):
            return self.values
        # In float64: the reciprocal of a small total would overflow float32 where the mean does not.
        return (self.values.double() / self.divisor).to(self.values.dtype)

    @property
    def divisor(self) -> Tensor:
        """What makes a share of something weighted: ``total``, or infinity where that is 0."""
        return self.total.masked_fill(self.total == 0, torch.inf)
