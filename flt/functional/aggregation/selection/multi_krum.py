"""Multi-Krum: the mean of the updates that are closest to their nearest neighbours."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.aggregation.krum import FEWEST, check_num_byzantine, check_num_neighbours, krum_scores_of
from flt.functional.choice import equal_shares, smallest
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum


def multi_krum(
    updates: Tensor,
    *,
    num_byzantine: int,
    num_selected: int | None = None,
    num_neighbours: int | None = None,
    iterative: bool = False,
) -> Tensor:
    """Mean of the updates with the smallest Krum scores.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= f + 3``, with ``iterative``
            ``2 f + 3``, or 0 among one or two.
        num_selected: Updates in the mean (m); None for ``n - f``, with ``iterative`` for ``n - 2 f - 2``. With
            ``iterative`` no more than `most_selected`.
        num_neighbours: Nearest others whose distances count (q); None for ``n - f - 2``, with ``iterative`` for one
            less than that among the updates left.
        iterative: Whether the updates are selected one after the other, each by its scores among those left.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for the numbers.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017;
        iterative as in the code of Shejwalkar and Houmansadr, Manipulating the Byzantine, NDSS 2021.

    Example:
        >>> multi_krum(torch.tensor([[0.0], [1.0], [2.0], [9.0]]), num_byzantine=1)
        tensor([1.])
    """
    check_num_byzantine(num_byzantine, len(updates))
    if iterative:
        check_iterative(num_byzantine, num_neighbours, len(updates))
    gram = Gram.of(updates)
    if iterative:
        weights = iterative_multi_krum_weights(
            gram, num_byzantine=num_byzantine, num_selected=num_selected, num_neighbours=num_neighbours
        )
    else:
        scores = krum_scores_of(gram, num_byzantine=num_byzantine, num_neighbours=num_neighbours)
        weights = multi_krum_weights(scores, num_byzantine=num_byzantine, num_selected=num_selected)
    return WeightedSum.of(updates, weights).mean()


def multi_krum_weights(scores: Tensor, *, num_byzantine: int, num_selected: int | None = None) -> Tensor:
    """What each update counts in the mean of `multi_krum`, from its Krum score; float64, shape ``[num_clients]``."""
    count = len(scores) - num_byzantine if num_selected is None else num_selected
    check_num_selected(count, len(scores), len(scores))
    return equal_shares(smallest(scores, count), len(scores))


def iterative_multi_krum_weights(
    gram: Gram, *, num_byzantine: int, num_selected: int | None = None, num_neighbours: int | None = None
) -> Tensor:
    """The same with ``iterative``, from inner products."""
    num_clients = len(gram.squared_distances)
    count = _usually_selected(num_clients, num_byzantine) if num_selected is None else num_selected
    check_num_selected(count, num_clients, most_selected(num_clients, num_byzantine, num_neighbours))

    def neighbours(num_left: int) -> int:
        return num_left - num_byzantine - 3 if num_neighbours is None else num_neighbours

    return equal_shares(one_by_one(gram.squared_distances, count, neighbours), num_clients)


def one_by_one(squared_distances: Tensor, count: int, neighbours: Callable[[int], int]) -> Tensor:
    """Indices of the updates that Krum selects one after the other, each among those that are left.

    Args:
        squared_distances: Shape ``[num_clients, num_clients]``.
        count: How many to select.
        neighbours: Nearest others whose distances count, as a function of the number of updates left.
    """
    left, chosen = np.arange(len(squared_distances)), []
    # Put in order once: an update that goes leaves each row one entry shorter, and in order. As NumPy's arrays, since
    # what takes a hundred small steps is several times as fast there.
    ordered, owners = (found.numpy(force=True) for found in squared_distances.sort(dim=1))
    for _ in range(count):
        num_neighbours = max(0, min(neighbours(len(left)), len(left) - 1))
        best = int(torch.from_numpy(ordered[:, : num_neighbours + 1]).sum(dim=1).argmin())  # with the row's own zero
        chosen.append(int(left[best]))
        stays = left != chosen[-1]
        left, ordered, owners = left[stays], ordered[stays], owners[stays]
        remain, shape = owners != chosen[-1], (len(left), len(left))
        ordered, owners = ordered[remain].reshape(shape), owners[remain].reshape(shape)
    return torch.tensor(chosen, device=squared_distances.device)


def most_selected(num_clients: int, num_byzantine: int, num_neighbours: int | None) -> int:
    """Most updates that ``iterative`` selects, so that one neighbour at least judges each of them.

    As many as it selects unless told otherwise are allowed in any case: where none is malicious, none judges the last.
    """
    most = num_clients - num_byzantine - 3 if num_neighbours is None else num_clients - 1
    return max(most, _usually_selected(num_clients, num_byzantine))


def _usually_selected(num_clients: int, num_byzantine: int) -> int:
    return num_clients if num_clients < FEWEST else max(1, num_clients - 2 * num_byzantine - 2)


def check_num_selected(num_selected: int, num_clients: int, most: int) -> None:
    """Raises an `InputError` unless so many of ``num_clients``, of whom ``most`` can be, are selected."""
    if not 1 <= num_selected <= most:
        raise InputError(
            f"num_selected={num_selected}: of {num_clients} updates 1 to {most} can be selected, each by its neighbours"
        )


def check_iterative(num_byzantine: int, num_neighbours: int | None, num_clients: int) -> None:
    """Raises an `InputError` unless so many updates can be selected from one by one."""
    if num_clients < 2 * num_byzantine + 3 and num_clients >= FEWEST:
        raise InputError(
            f"num_byzantine={num_byzantine}: iterative Multi-Krum needs num_clients >= 2 * num_byzantine + 3, and there"
            f" are {num_clients} clients (at most {(num_clients - 3) // 2})"
        )
    if num_neighbours is not None and num_clients >= FEWEST:
        check_num_neighbours(num_neighbours, num_clients)
