"""Inner products of the updates: most rules need nothing else of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor

from flt.functional.blocks import float64_blocks
from flt.functional.distances import norms, squared_distances_from_gram

BLURRED = 1e-9  # of two squared lengths: a squared distance below this share of them has lost digits in float64


@dataclass(frozen=True)
class Gram:
    """Inner products of every two rows, float64, taken relative to one of them, so that little cancels.

    The Gram matrix of linear combinations of these rows follows from this one, however many parameters there are.

    Attributes:
        relative: ``<x_i - z, x_j - z>`` with the origin z, the shortest row, shape ``[n, n]``.
        along: ``<x_i - z, z>``, shape ``[n]``.
        origin_square: ``<z, z>``, a scalar.
        squared_distances: ``|x_i - x_j|^2``, shape ``[n, n]``, symmetric, zero on the diagonal.
    """

    relative: Tensor
    along: Tensor
    origin_square: Tensor
    squared_distances: Tensor

    @classmethod
    def of(cls, updates: Tensor) -> Gram:
        """The Gram matrix of updates of shape ``[n, num_params]``, in one pass over them.

        Example:
            >>> gram = Gram.of(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
            >>> gram.inner_products, gram.norms
            (tensor([[25.,  8.],
                    [ 8.,  4.]], dtype=torch.float64), tensor([5., 2.], dtype=torch.float64))
        """
        if not len(updates):
            none = updates.new_zeros(0, 0, dtype=torch.float64)
            return cls(none, none.flatten(), none.sum(), none)
        relative, along, origin_square = _relative(updates, norms(updates).argmin())
        return cls(relative, along, origin_square, _refined_distances(updates, relative))

    @cached_property
    def inner_products(self) -> Tensor:
        """``<x_i, x_j>``, shape ``[n, n]``."""
        return self.relative + self.along[:, None] + self.along[None, :] + self.origin_square

    @cached_property
    def norms(self) -> Tensor:
        """Euclidean norm of each row, shape ``[n]``."""
        return self.inner_products.diagonal().clamp(min=0.0).sqrt()

    @cached_property
    def cosines(self) -> Tensor:
        """Cosine of the angle between every two rows, in [-1, 1], shape ``[n, n]``; 0 where either of them is zero."""
        lengths = torch.where(self.norms > 0, self.norms, torch.inf)
        return (self.inner_products / lengths[:, None] / lengths[None, :]).clamp(-1.0, 1.0)

    def on(self, device: torch.device | str) -> Gram:
        """The same on a device: an iteration over n x n numbers is faster on a CPU."""
        if self.relative.device == torch.device(device):
            return self
        return Gram(*(getattr(self, each.name).to(device) for each in fields(self)))

    def distances_from(self, shares: Tensor) -> Tensor:
        """Distance of each row from the weighted mean ``sum_j a_j x_j``, shape ``[n]``.

        Args:
            shares: The weights a_j, which add up to 1, shape ``[n]``.

        Example:
            >>> Gram.of(torch.tensor([[0.0], [4.0]])).distances_from(torch.tensor([0.75, 0.25]))
            tensor([1., 3.], dtype=torch.float64)
        """
        shares = shares.to(self.relative)
        products = self.relative @ shares
        squares = self.relative.diagonal() - 2.0 * products + shares @ products
        return squares.clamp(min=0.0).sqrt()

    def centred(self, shares: Tensor) -> Tensor:
        """Inner products ``<x_i - m, x_j - m>`` about the weighted mean ``m = sum_j a_j x_j``, shape ``[n, n]``.

        Args:
            shares: The weights a_j, which add up to 1, shape ``[n]``.

        Example:
            >>> Gram.of(torch.tensor([[0.0], [4.0]])).centred(torch.tensor([0.5, 0.5]))
            tensor([[ 4., -4.],
                    [-4.,  4.]], dtype=torch.float64)
        """
        shares = shares.to(self.relative)
        products = self.relative @ shares
        centred = self.relative - products[:, None] - products[None, :] + shares @ products
        return (centred + centred.T) / 2.0

    def picked(self, places: Tensor) -> Gram:
        """The Gram matrix of some of the rows, by their indices; a row may be picked more than once."""

        def among(values: Tensor) -> Tensor:
            return values[places][:, places]

        return Gram(among(self.relative), self.along[places], self.origin_square, among(self.squared_distances))

    def mixed(self, mixing: Tensor) -> Gram:
        """The Gram matrix of the rows ``mixing @ x``, for a mixing matrix of shape ``[num_rows, n]``."""
        mixing = mixing.to(self.relative)
        along, excess = mixing @ self.along, mixing.sum(dim=1) - 1.0  # so much of the origin is in a row too often
        relative = mixing @ self.relative @ mixing.T
        relative += along[:, None] * excess + excess[:, None] * along + self.origin_square * excess[:, None] * excess
        return Gram(
            relative, along + excess * self.origin_square, self.origin_square, squared_distances_from_gram(relative)
        )


def pairwise_squared_distances(updates: Tensor) -> Tensor:
    """Squared Euclidean distance between every two updates.

    From inner products in float64, relative to the shortest update, so that a huge one blurs no distance but its own;
    updates that lie much closer to each other than to the shortest are compared once more, relative to one of them.
    Six digits are right even where updates nearly agree, and equal updates are at distance 0.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.

    Returns:
        Distances, float64, shape ``[num_clients, num_clients]``, symmetric, zero on the diagonal.

    Example:
        >>> pairwise_squared_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))[0, 1]
        tensor(25., dtype=torch.float64)
    """
    return Gram.of(updates).squared_distances


def _relative(updates: Tensor, origin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inner products of the updates relative to one of them: among each other, with that one, and its own."""
    relative = updates.new_zeros(len(updates), len(updates), dtype=torch.float64)
    along, square = relative.new_zeros(len(updates)), relative.new_zeros(())
    for block in float64_blocks(updates):
        start = block[origin].clone()
        block -= start
        relative.addmm_(block, block.T)
        along.addmv_(block, start)
        square += start @ start
    return relative, along, square


def _refined_distances(updates: Tensor, relative: Tensor) -> Tensor:
    """Squared distances, given the inner products relative to the shortest update."""
    distances, is_blurred = _from_relative(relative)
    while is_blurred.any():
        # Each pass leaves one update with no blurred distance, and most of them all with it.
        centre = is_blurred.sum(dim=1).argmax()
        is_blurred[centre, centre] = True
        group = is_blurred[centre].nonzero().flatten()
        again, still_blurred = _from_relative(_relative(updates[group], (group == centre).nonzero()[0, 0])[0])
        distances[group[:, None], group] = again
        is_blurred[group[:, None], group] &= still_blurred
    return distances


def _from_relative(relative: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances from inner products relative to one of the updates, and which are blurred."""
    distances, squares = squared_distances_from_gram(relative), relative.diagonal()
    is_blurred = distances < BLURRED * torch.minimum(squares[:, None], squares[None, :])
    return distances, is_blurred.fill_diagonal_(False)
