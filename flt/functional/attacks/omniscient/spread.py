"""The spread of the known updates about their mean, along a direction: what bounds a hidden malicious update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from flt.functional.blocks import float64_blocks
from flt.functional.distances import squared_distances_from_gram

Perturbation = Literal["std", "minus_std", "sign", "unit"]
"""A direction away from the mean: plus or minus the standard deviation, minus its sign, or minus its unit vector."""
Search = Literal["closed", "bisection"]

PRECISE = 1e-5  # where a bisection ends, as in the authors' notebooks


@dataclass(frozen=True)
class Spread:
    """Known updates K_i about their mean, ``a_i = mean - K_i``, along a direction p; float64.

    Attributes:
        mean: Shape ``[num_params]``.
        direction: p, shape ``[num_params]``; zero where there is none, as for equal updates.
        along: ``<a_i, p>``, shape ``[num_known]``.
        squares: ``|a_i|^2``, shape ``[num_known]``.
        largest_distance: The largest ``|K_i - K_j|^2``, a scalar.
    """

    mean: Tensor
    direction: Tensor
    along: Tensor
    squares: Tensor
    largest_distance: Tensor

    @classmethod
    def of(cls, updates: Tensor, rows: Tensor, perturbation: Perturbation) -> Spread:
        """The spread of some updates, in one pass over them.

        Args:
            updates: Shape ``[num_clients, num_params]``.
            rows: Indices of one of them or more, shape ``[num_known]``.
            perturbation: The direction.

        Example:
            >>> spread = Spread.of(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([0, 1]), "sign")
            >>> spread.direction, spread.squares, spread.largest_distance
            (tensor([-1.], dtype=torch.float64), tensor([1., 1.], dtype=torch.float64), tensor(4., dtype=torch.float64))
        """
        means, directions = [], []
        products = updates.new_zeros(len(rows), len(rows), dtype=torch.float64)
        along = products.new_zeros(len(rows))
        for values in float64_blocks(updates, rows):
            means.append(values.mean(dim=0))
            apart = values.sub_(means[-1]).neg_()
            deviation = apart.square().mean(dim=0).sqrt()
            directions.append(_direction(means[-1], deviation, perturbation))
            along.addmv_(apart, directions[-1])
            products += _products(apart, deviation.max(), updates.dtype)
        mean, direction = torch.cat(means), torch.cat(directions)
        if perturbation == "unit":
            length = direction.norm().clamp(min=torch.finfo(torch.float64).tiny)
            direction, along = direction / length, along / length
        largest = squared_distances_from_gram(products).max()
        return cls(mean, direction, along, products.diagonal(), largest)

    @cached_property
    def square(self) -> Tensor:
        """``|p|^2``, a scalar."""
        return self.direction.square().sum()

    def reached(self, stretch: Tensor | float) -> Tensor:
        """The update that lies so many lengths of the direction off the mean, shape ``[num_params]``."""
        return self.mean + stretch * self.direction

    def distances(self, stretch: float) -> Tensor:
        """Squared distance of that update from each known one, shape ``[num_known]``."""
        return self.squares + 2.0 * stretch * self.along + stretch**2 * self.square


def bisection(is_hidden: Callable[[float], bool], start: float, *, precision: float = PRECISE) -> float:
    """A large stretch at which an update is hidden, found by halving steps as in Shejwalkar and Houmansadr's notebooks.

    It is never above ``2 start``, and 0 where nothing was found.

    Args:
        is_hidden: Whether the update is hidden at a stretch.
        start: The first stretch that is tried; the first step is half of it.
        precision: The step after which it ends.

    Example:
        >>> round(bisection(lambda stretch: stretch <= 3.0, 10.0), 4)
        3.0
    """
    found, tried, step = 0.0, start, start / 2.0
    while abs(found - tried) > precision:
        if is_hidden(tried):
            found, tried = tried, tried + step
        else:
            tried -= step
        step /= 2.0
    return found


def _direction(mean: Tensor, deviation: Tensor, perturbation: Perturbation) -> Tensor:
    """A direction's part in a block of columns, where only a unit vector is not yet of its length."""
    directions = {"std": deviation, "minus_std": -deviation, "sign": -mean.sign(), "unit": -mean}
    return directions[perturbation]


def _products(apart: Tensor, largest: Tensor, dtype: torch.dtype) -> Tensor:
    """Inner products of differences in the updates' own dtype, which is faster; in a unit in which none overflows."""
    unit = torch.where(largest > 0, largest, 1.0)
    scaled = torch.div(apart, unit, out=apart.new_empty(apart.shape, dtype=dtype))
    return (scaled @ scaled.T).double() * unit.square()
