"""Where each parameter tensor of a network lies in a flat update, for rules that work layer by layer."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """A parameter tensor's part of a flat update.

    Attributes:
        name: The parameter's, such as ``"conv1.weight"``.
        shape: Its shape.
        place: Its entries, so that ``updates[:, place]`` are those of each client.
    """

    name: str
    shape: tuple[int, ...]
    place: slice


def layout_of(shapes: Mapping[str, Sequence[int]]) -> tuple[Piece, ...]:
    """The pieces of a flat vector in which tensors of these names and shapes follow one another.

    Example:
        >>> [(piece.name, piece.place) for piece in layout_of({"weight": (3, 2), "bias": (3,)})]
        [('weight', slice(0, 6, None)), ('bias', slice(6, 9, None))]
    """
    pieces, start = [], 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        pieces.append(Piece(name, tuple(shape), slice(start, end)))
        start = end
    return tuple(pieces)
