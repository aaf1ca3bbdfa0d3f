"""Minimum-diameter averaging: the mean of the updates that lie closest together."""

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.aggregation.selection.cover import cover, graph_of
from flt.functional.choice import equal_shares
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum


def mda(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """Mean of the ``n - f`` updates whose largest distance from each other is smallest.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``. The time that it takes
            grows as ``1.5^f`` at worst.

    Returns:
        The aggregate, shape ``[num_params]``. Of choices that are as good the first one in lexicographic order counts.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        El Mhamdi et al., Genuinely Distributed Byzantine Machine Learning, PODC 2020; Rousseeuw, Multivariate
        Estimation with High Breakdown Point, 1985.

    Example:
        >>> mda(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), num_byzantine=1)
        tensor([1.])
    """
    num_clients = len(updates)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: MDA needs num_clients >= 2 * num_byzantine + 1, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    return WeightedSum.of(updates, mda_weights(Gram.of(updates), num_byzantine=num_byzantine)).mean()


def mda_weights(gram: Gram, *, num_byzantine: int) -> Tensor:
    """What each update counts in the mean that `mda` is, from inner products; float64, shape ``[num_clients]``."""
    distances = gram.squared_distances
    chosen = mda_select(distances, num_byzantine=num_byzantine)
    return equal_shares(torch.tensor(chosen, device=distances.device), len(distances))


def mda_select(distances: Tensor, *, num_byzantine: int) -> list[int]:
    """Indices of the ``n - f`` updates that lie closest together, from their distances, squared or not.

    So many updates have a diameter of at most t if those left out touch every edge of the graph that joins updates
    farther apart than t. The smallest such t is one of the distances.
    """
    everyone = (1 << len(distances)) - 1
    candidates = torch.unique(distances)
    first, last = 0, len(candidates) - 1
    while first < last:
        middle = (first + last) // 2
        found = cover(graph_of(distances > candidates[middle]), num_byzantine, everyone)
        first, last = (middle + 1, last) if found is None else (first, middle)
    return _first_choice(graph_of(distances > candidates[last]), num_byzantine)


def _first_choice(graph: list[int], num_dropped: int) -> list[int]:
    """The lexicographically first ``n - num_dropped`` vertices of which no two are joined, of which there are some."""
    everyone = (1 << len(graph)) - 1
    chosen: list[int] = []
    dropped, witness = 0, cover(graph, num_dropped, everyone)
    assert witness is not None, "there are no such vertices"
    for vertex, neighbours in enumerate(graph):
        if len(chosen) == len(graph) - num_dropped:
            break
        if dropped >> vertex & 1:
            continue
        if witness >> vertex & 1:  # another cover may do without it
            without = dropped | neighbours
            rest = cover(graph, num_dropped - without.bit_count(), everyone & ~without)
            if rest is None:
                dropped |= 1 << vertex
                continue
            witness = without | rest
        chosen.append(vertex)
        dropped |= neighbours
    return chosen
