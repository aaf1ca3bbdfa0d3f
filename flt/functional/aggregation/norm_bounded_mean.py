"""Norm-bounded mean: no update may be longer than a bound."""

from torch import Tensor

from flt.errors import check_positive
from flt.functional.distances import LONGEST, shortening
from flt.functional.rows import Rows
from flt.functional.weighted_sum import WeightedSum


def norm_bounded_mean(updates: Tensor, num_examples: Tensor, *, max_norm: float) -> Tensor:
    """Mean of the client updates weighted by ``|D_i| / N``, those longer than ``max_norm`` shortened to it.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_examples: Number of local examples ``|D_i|`` of each client, shape ``[num_clients]``.
        max_norm: The bound on an update's Euclidean norm, above 0.

    Returns:
        The aggregate, shape ``[num_params]``; zero where no client has an example.

    Raises:
        InputError: If ``max_norm`` is not above 0.

    Reference:
        Sun et al., Can You Really Backdoor Federated Learning?, 2019.

    Example:
        >>> import torch
        >>> norm_bounded_mean(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.tensor([1, 1]), max_norm=1.0)
        tensor([0.3000, 0.9000])
    """
    check_positive("max_norm", max_norm)
    shares = num_examples.double() / num_examples.sum().clamp(min=1)
    return norm_bounded_sum(Rows(updates), shares, max_norm=max_norm).mean()


def norm_bounded_sum(rows: Rows, shares: Tensor, *, max_norm: float) -> WeightedSum:
    """The sum behind `norm_bounded_mean`, each client counting by its share, shape ``[num_clients]``."""
    lengths = rows.norms
    # The factor that brings so long an update to the bound would lose its digits in float32.
    exact = bool((lengths > LONGEST).any())
    return rows.weighted_sum(shares * shortening(lengths, max_norm), shares, exact=exact)
