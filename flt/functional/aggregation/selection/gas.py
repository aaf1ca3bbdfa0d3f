"""GAS: the updates that are close to a rule's aggregate in every chunk of the coordinates."""

from collections.abc import Callable

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.aggregation.selection.monna import nearest_weights
from flt.functional.rows import Rows


def gas(updates: Tensor, rule: Callable[[Tensor], Tensor], *, num_byzantine: int, chunk_of: Tensor) -> Tensor:
    """Mean of the ``n - f`` updates with the smallest sum over chunks of distances to a rule's aggregate of the chunk.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        rule: The rule, ``[num_clients, num_columns]`` to ``[num_columns]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= 2 f + 1``.
        chunk_of: The chunk that each coordinate is in, counted from 0, shape ``[num_params]``.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Liu et al., Byzantine-Robust Learning on Heterogeneous Data via Gradient Splitting, ICML 2023.

    Example:
        >>> from flt.functional import median
        >>> updates = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [1.0, 9.0]])
        >>> gas(updates, median, num_byzantine=1, chunk_of=torch.tensor([0, 1]))
        tensor([1., 1.])
    """
    num_clients = len(updates)
    if num_byzantine < 0 or num_clients < 2 * num_byzantine + 1:
        raise InputError(
            f"num_byzantine={num_byzantine}: GAS needs num_clients >= 2 * num_byzantine + 1, and there are"
            f" {num_clients} clients (at most {max(0, (num_clients - 1) // 2)})"
        )
    rows = Rows(updates)
    centre = by_chunks(lambda columns: rule(rows.columns(columns)), chunk_of, like=updates)
    return rows.weighted_sum(nearest_weights(gas_scores(rows, centre, chunk_of), num_byzantine=num_byzantine)).mean()


def by_chunks(rule: Callable[[Tensor], Tensor], chunk_of: Tensor, *, like: Tensor) -> Tensor:
    """What a rule makes of each chunk, shape ``[num_params]``; it is given the indices of the chunk's columns."""
    order, sizes = chunk_of.argsort(stable=True), chunk_of.bincount()
    found = like.new_zeros(len(chunk_of))
    for columns in torch.split(order, sizes.tolist()):
        found[columns] = rule(columns)
    return found


def gas_scores(rows: Rows, centre: Tensor, chunk_of: Tensor) -> Tensor:
    """Sum over chunks of each row's distance to the rule's aggregate ``centre``, float64, shape ``[num_rows]``."""
    num_chunks = int(chunk_of.max()) + 1 if len(chunk_of) else 0
    return rows.distances_in_parts(centre, chunk_of, num_chunks).sum(dim=1)
