"""Vectors of the adaptive attack by their coordinates along orthonormal ones: e_0, p and each client's n and w."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from flt.functional.blocks import column_blocks, float64_blocks
from flt.functional.distances import norms

ROUNDING = 1e-12  # what a unit vector has outside a plane is rounding if its square is less


class Frame(NamedTuple):
    """e_0, p and each client's n, the direction of its start orthogonal to both; a missing one is zero.

    Attributes:
        plane: e_0 and p, float64 of shape ``[2, num_params]``.
        starts: Where clients start, of any length, shape ``[num_clients, num_params]``.
        scales: What brings the starts to length 1, and 0 for zero ones, float64 of shape ``[num_clients]``.
        along: Coordinates of the starts' directions along e_0 and p, float64 of shape ``[num_clients, 2]``.
        out: Their coordinate along n, at least 0, float64 of shape ``[num_clients]``.
    """

    plane: Tensor
    starts: Tensor
    scales: Tensor
    along: Tensor
    out: Tensor

    @classmethod
    def of(cls, plane: Tensor, starts: Tensor) -> Frame:
        """The frame of these starts in a plane that `plane_of` made."""
        lengths = norms(starts)
        scales = torch.where(lengths >= torch.finfo(torch.float64).tiny, 1.0 / lengths, 0.0)
        along, square = lengths.new_zeros(len(starts), 2), torch.zeros_like(lengths)
        for start, axes in zip(_scaled(starts, scales), column_blocks(plane), strict=True):
            along.addmm_(start, axes.T)
            square += torch.linalg.vecdot(start, start)
        # Norms are good to some 1e-6; what is left of a start outside the plane is to be good to much less.
        correction = torch.where(square > 0, square.rsqrt(), 0.0)
        along *= correction[:, None]
        left = (square > 0).double() - along.square().sum(dim=1)
        return cls(plane, starts, scales * correction, along, torch.where(left > ROUNDING, left, 0.0).sqrt())

    @property
    def exists(self) -> Tensor:
        """Whether a client has an e_0, p, n and w, shape ``[num_clients, 4]``."""
        known = torch.cat([self.plane.any(dim=1).expand(len(self.starts), 2), self.out[:, None] > 0], dim=1)
        return torch.cat([known, known.sum(dim=1, keepdim=True) < self.plane.shape[1]], dim=1)

    def coordinates(self) -> Tensor:
        """Coordinates of the starts' directions along e_0, p, n and w, float64, shape ``[num_clients, 4]``."""
        return torch.cat([self.along, torch.stack([self.out, torch.zeros_like(self.out)], dim=1)], dim=1)

    def realised(self, coordinates: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Vectors with these ``coordinates``, of which w is drawn: uniformly, orthogonal to e_0, p and the client's n.

        Args:
            coordinates: Float64, shape ``[num_clients, 4]``, those along w at least 0.
            generator: Source of ``[num_clients, num_params]`` normal numbers, unless all coordinates along w are 0.

        Returns:
            Shape ``[num_clients, num_params]``, dtype of the starts.
        """
        found, of_normal = torch.empty_like(self.starts), torch.zeros_like(self.out)
        inside, is_turned = coordinates[:, :3], bool(coordinates[:, 3].any())
        if is_turned:
            known, rest = self._coordinates_of(found.normal_(generator=generator))
            of_normal = torch.where(coordinates[:, 3] > 0, coordinates[:, 3] / rest, 0.0)
            inside = inside - of_normal[:, None] * known
        of_start = torch.where(self.out > 0, inside[:, 2] / self.out, 0.0)
        of_plane = inside[:, :2] - of_start[:, None] * self.along
        blocks = zip(column_blocks(found), _scaled(self.starts, self.scales), column_blocks(self.plane), strict=True)
        for block, start, axes in blocks:
            start.mul_(of_start[:, None]).addmm_(of_plane, axes)
            block.copy_(start.add_(block * of_normal[:, None]) if is_turned else start)
        return found

    def _coordinates_of(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates of each client's vector along e_0, p and n, ``[num_clients, 3]``, and the length of the rest."""
        along, overlap, square = torch.zeros_like(self.along), torch.zeros_like(self.out), torch.zeros_like(self.out)
        starts = _scaled(self.starts, self.scales)
        for own, start, axes in zip(float64_blocks(vectors), starts, column_blocks(self.plane), strict=True):
            along.addmm_(own, axes.T)
            overlap += torch.linalg.vecdot(start, own)
            square += torch.linalg.vecdot(own, own)
        out = torch.where(self.out > 0, (overlap - (self.along * along).sum(dim=1)) / self.out, 0.0)
        known = torch.cat([along, out[:, None]], dim=1)
        return known, (square - known.square().sum(dim=1)).clamp(min=0).sqrt()


def plane_of(root_direction: Tensor, sign: Tensor) -> Tensor:
    """The unit vectors e_0, along ``root_direction``, and p, along the part of ``sign`` orthogonal to it.

    Args:
        root_direction: Not zero, shape ``[num_params]``.
        sign: Shape ``[num_params]``.

    Returns:
        Float64, shape ``[2, num_params]``; p is zero where no part of ``sign`` is orthogonal to e_0.
    """
    first = root_direction.double() / torch.linalg.vector_norm(root_direction, dtype=torch.float64)
    across = sign.double()
    for _ in range(2):  # the second pass takes what rounding leaves along e_0 in the first
        across = across - (across @ first) * first
    square = across.square().sum()
    is_rounding = square <= ROUNDING * sign.double().square().sum()
    return torch.stack([first, torch.where(is_rounding, 0.0, across / square.sqrt())])


def _scaled(vectors: Tensor, scales: Tensor) -> Iterator[Tensor]:
    """Blocks of the vectors, each multiplied by its scale, in float64."""
    return (block.mul_(scales[:, None]) for block in float64_blocks(vectors))
