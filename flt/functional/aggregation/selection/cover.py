"""Vertex covers: a few vertices that touch all edges of a graph. Sets of vertices are integers, a bit for each."""

import numpy as np
from torch import Tensor


def graph_of(is_edge: Tensor) -> list[int]:
    """The neighbours of each vertex as a set, from a boolean matrix of shape ``[n, n]``.

    Example:
        >>> import torch
        >>> graph_of(torch.tensor([[False, True], [True, False]]))
        [2, 1]
    """
    packed = np.packbits(is_edge.cpu().numpy(), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def cover(graph: list[int], budget: int, vertices: int) -> int | None:
    """A set of at most ``budget`` vertices that touches every edge among ``vertices``; None if there is none.

    Either a vertex is in the cover, or all of its neighbours are: of a vertex with three neighbours or more both are
    tried. What has fewer, and what leaves no choice, needs no trial.

    Example:
        >>> cover([0b010, 0b101, 0b010], 1, 0b111), cover([0b110, 0b101, 0b011], 1, 0b111)
        (2, None)
    """
    taken = 0
    while True:
        vertices, largest, forced, num_ends = _survey(graph, vertices)
        degree = (graph[largest] & vertices).bit_count()
        if not degree:
            return taken if budget >= 0 else None
        if num_ends > 2 * budget * degree:  # each vertex of a cover touches no more edges than this one does
            return None
        if not forced and degree > 2 and degree <= budget:
            break
        forced = forced or 1 << largest  # has more neighbours than there may be in a cover, or is one of a ring
        taken, vertices, budget = taken | forced, vertices & ~forced, budget - 1
    without = cover(graph, budget - 1, vertices & ~(1 << largest))
    if without is not None:
        return taken | 1 << largest | without
    neighbours = graph[largest] & vertices
    without = cover(graph, budget - degree, vertices & ~neighbours)
    return None if without is None else taken | neighbours | without


def most_trials(budget: int) -> int:
    """How often `cover` may call itself at most, whatever the graph.

    Example:
        >>> most_trials(6), most_trials(20)
        (11, 2555)
    """
    counts = [1, 1, 1]
    while len(counts) <= budget:
        counts.append(1 + counts[-1] + counts[-3])
    return counts[max(0, budget)]


def _survey(graph: list[int], vertices: int) -> tuple[int, int, int, int]:
    """The vertices that have edges, the one with most, the neighbour of one with a single edge, and all ends of edges.

    That neighbour, a set of one, is in some smallest cover; the set is empty where every vertex has more edges.
    """
    largest, most, forced, num_ends, left = 0, 0, 0, 0, vertices
    while left:
        bit = left & -left
        left ^= bit
        neighbours = graph[bit.bit_length() - 1] & vertices
        degree = neighbours.bit_count()
        num_ends += degree
        if not degree:
            vertices ^= bit
        elif degree > most:
            largest, most = bit.bit_length() - 1, degree
        if degree == 1:
            forced = neighbours
    return vertices, largest, forced, num_ends
