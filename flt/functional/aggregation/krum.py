"""Krum: the one update that is closest to its nearest neighbours."""

from torch import Tensor

from flt.errors import InputError
from flt.functional.choice import equal_shares, smallest
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum

FEWEST = 3  # updates that have neighbours to be judged by


def krum(updates: Tensor, *, num_byzantine: int, num_neighbours: int | None = None, power: int = 2) -> Tensor:
    """The update with the smallest sum of squared distances to its ``n - f - 2`` nearest others.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_byzantine: Malicious clients to tolerate, the paper's f; ``num_clients >= f + 3``, or 0 among one or two.
            That it does tolerate them is proven for ``num_clients >= 2 f + 3``.
        num_neighbours: Nearest others whose distances count (q), from 1 to ``num_clients - 1``; None for the paper's
            ``n - f - 2``. The authors' own code takes ``n - f - 1``.
        power: What distances are raised to before they are summed: 2 in the paper, 4 in some code.

    Returns:
        A copy of the selected update, shape ``[num_params]``; of one or two updates, which have no neighbours to be
        judged by, the mean.

    Raises:
        InputError: If there are too few clients for ``num_byzantine`` or ``num_neighbours``.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017.

    Example:
        >>> import torch
        >>> krum(torch.tensor([[0.0], [1.0], [1.5], [9.0]]), num_byzantine=0)
        tensor([1.])
    """
    scores = krum_scores(updates, num_byzantine=num_byzantine, num_neighbours=num_neighbours, power=power)
    if len(updates) < FEWEST:
        return WeightedSum.of(updates, krum_weights(scores)).mean()
    return updates[scores.argmin()].clone()


def krum_select(updates: Tensor, *, num_byzantine: int, num_neighbours: int | None = None, power: int = 2) -> Tensor:
    """Index of the update with the smallest score, a scalar integer tensor; the first one of equals."""
    return krum_scores(updates, num_byzantine=num_byzantine, num_neighbours=num_neighbours, power=power).argmin()


def krum_weights(scores: Tensor) -> Tensor:
    """What each update counts in the mean that `krum` is, from its score; float64, shape ``[num_clients]``."""
    num_clients = len(scores)
    return equal_shares(smallest(scores, 1 if num_clients >= FEWEST else num_clients), num_clients)


def krum_scores(updates: Tensor, *, num_byzantine: int, num_neighbours: int | None = None, power: int = 2) -> Tensor:
    """Sum of squared distances of each update to its ``n - f - 2`` nearest others, float64, ``[num_clients]``."""
    check_num_byzantine(num_byzantine, len(updates))
    return krum_scores_of(Gram.of(updates), num_byzantine=num_byzantine, num_neighbours=num_neighbours, power=power)


def krum_scores_of(gram: Gram, *, num_byzantine: int, num_neighbours: int | None = None, power: int = 2) -> Tensor:
    """`krum_scores`, from inner products; those of one or two updates are 0."""
    check_power("power", power)
    distances = gram.squared_distances
    num_clients = len(distances)
    if num_clients < FEWEST:
        return distances.new_zeros(num_clients)
    check_num_byzantine(num_byzantine, num_clients)
    if num_neighbours is None:
        num_neighbours = num_clients - num_byzantine - 2
    check_num_neighbours(num_neighbours, num_clients)
    return nearest_sums(distances if power == 2 else distances.square(), num_neighbours=num_neighbours)


def nearest_sums(squared_distances: Tensor, *, num_neighbours: int) -> Tensor:
    """Sum of the ``num_neighbours`` smallest entries of each row, the zero to itself left out, shape ``[n]``."""
    # The row's own zero is always among its smallest entries, so taking one more and summing leaves it out.
    nearest = squared_distances.topk(num_neighbours + 1, dim=1, largest=False).values
    return nearest.sum(dim=1)


def check_num_byzantine(num_byzantine: int, num_clients: int) -> None:
    """Raises an `InputError` unless Krum is defined for ``num_byzantine`` among ``num_clients``."""
    if num_byzantine == 0 and 0 < num_clients < FEWEST:
        return  # there is a mean
    if num_byzantine < 0 or num_clients < num_byzantine + FEWEST:
        raise InputError(
            f"num_byzantine={num_byzantine}: Krum needs num_clients >= num_byzantine + 3, "
            f"and there are {num_clients} clients (at most {max(0, num_clients - 3)})"
        )


def check_num_neighbours(num_neighbours: int, num_clients: int) -> None:
    """Raises an `InputError` unless an update has so many others."""
    if not 1 <= num_neighbours < num_clients:
        raise InputError(
            f"num_neighbours={num_neighbours}: an update has 1 to {num_clients - 1} others among {num_clients}"
        )


def check_power(name: str, power: int) -> None:
    """Raises an `InputError` unless distances can be raised to ``power``, the setting ``name``."""
    if power not in (2, 4):
        raise InputError(f"{name}={power} must be 2 or 4")
