"""Krum: the one update that is closest to its nearest neighbours."""

from torch import Tensor

from flt.errors import InputError
from flt.functional.gram import Gram


def krum(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """The update with the smallest sum of squared distances to its ``n - f - 2`` nearest others.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= f + 3``. That it does
            tolerate them is proven for ``num_clients >= 2 f + 3``.

    Returns:
        A copy of the selected update, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017.

    Example:
        >>> import torch
        >>> krum(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), num_byzantine=0)
        tensor([1.])
    """
    return updates[krum_select(updates, num_byzantine=num_byzantine)].clone()


def krum_select(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """Index of the update that `krum` returns, a scalar integer tensor; the first one of equals."""
    return krum_scores(updates, num_byzantine=num_byzantine).argmin()


def krum_weights(gram: Gram, *, num_byzantine: int) -> Tensor:
    """What each update counts in the mean that `krum` is: 1 for the selected one, shape ``[num_clients]``.

    Of one or two updates, which have no neighbours to be judged by, the first one is taken.
    """
    distances = gram.squared_distances
    weights = distances.new_zeros(len(distances))
    chosen = _scores(distances, num_byzantine).argmin() if len(distances) >= 3 else 0
    weights[chosen] = 1.0
    return weights


def krum_scores(updates: Tensor, *, num_byzantine: int) -> Tensor:
    """Sum of squared distances of each update to its ``n - f - 2`` nearest others, float64, ``[num_clients]``."""
    return _scores(Gram.of(updates).squared_distances, num_byzantine)


def _scores(squared_distances: Tensor, num_byzantine: int) -> Tensor:
    check_num_byzantine(num_byzantine, len(squared_distances))
    return nearest_sums(squared_distances, num_neighbours=len(squared_distances) - num_byzantine - 2)


def nearest_sums(squared_distances: Tensor, *, num_neighbours: int) -> Tensor:
    """Sum of the ``num_neighbours`` smallest entries of each row, the zero to itself left out, shape ``[n]``."""
    # The row's own zero is always among its smallest entries, so taking one more and summing leaves it out.
    nearest = squared_distances.topk(num_neighbours + 1, dim=1, largest=False).values
    return nearest.sum(dim=1)


def check_num_byzantine(num_byzantine: int, num_clients: int) -> None:
    """Raises an `InputError` unless Krum is defined for ``num_byzantine`` among ``num_clients``."""
    if num_byzantine < 0 or num_clients < num_byzantine + 3:
        raise InputError(
            f"num_byzantine={num_byzantine}: Krum needs num_clients >= num_byzantine + 3, "
            f"and there are {num_clients} clients (at most {max(0, num_clients - 3)})"
        )
