"""Bulyan: Krum selects updates one by one, then each coordinate takes the values around its median."""

from torch import Tensor

from flt.errors import InputError
from flt.functional.aggregation.coordinatewise import mean_around_median
from flt.functional.aggregation.krum import FEWEST
from flt.functional.aggregation.selection.multi_krum import one_by_one
from flt.functional.gram import Gram
from flt.functional.rows import Rows


def bulyan(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """Per coordinate, the mean of the ``n - 4 f`` values closest to the median of ``n - 2 f`` selected updates.

    Krum selects them one after the other among those that are left, by ``max(1, r - f - 2)`` neighbours of r left.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 4 f + 3``, or 0 among one or two,
            of which it is the mean.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        El Mhamdi, Guerraoui and Rouault, The Hidden Vulnerability of Distributed Learning in Byzantium, ICML 2018.

    Example:
        >>> import torch
        >>> bulyan(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [90.0]]), num_byzantine=1)
        tensor([2.])
    """
    num_clients = len(updates)
    few = num_byzantine == 0 and 0 < num_clients < FEWEST
    if num_byzantine < 0 or (num_clients < 4 * num_byzantine + 3 and not few):
        raise InputError(
            f"num_byzantine={num_byzantine}: Bulyan needs num_clients >= 4 * num_byzantine + 3, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 3) // 4)})"
        )
    rows = Rows(updates)
    chosen = bulyan_select(rows.gram, num_byzantine=num_byzantine)
    return rows.by_columns(lambda values: bulyan_mean(values, num_byzantine=num_byzantine), chosen)


def bulyan_select(gram: Gram, *, num_byzantine: int) -> Tensor:
    """Indices of the ``n - 2 f`` updates that Bulyan selects, in their order, from inner products."""
    count = len(gram.squared_distances) - 2 * num_byzantine
    return one_by_one(gram.squared_distances, count, lambda num_left: max(1, num_left - num_byzantine - 2))


def bulyan_mean(selected: Tensor, *, num_byzantine: int) -> Tensor:
    """What Bulyan makes of the ``n - 2 f`` selected updates, ``[n - 2 f, num_columns]`` to ``[num_columns]``."""
    return mean_around_median(selected, num_values=len(selected) - 2 * num_byzantine)
