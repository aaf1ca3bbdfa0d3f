"""Zeno: the mean of the updates that lower the loss on the root dataset most."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from flt.errors import InputError, check_choice, check_not_negative
from flt.functional.choice import check_some, equal_shares, smallest
from flt.functional.rows import Rows

Penalty = Literal["sum", "mean"]


def zeno(
    updates: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    num_byzantine: int,
    rho: float = 0.0005,
    penalty: Penalty = "sum",
) -> Tensor:
    """Mean of the ``n - f`` updates with the highest scores ``F(w) - F(w + g_i) - rho |g_i|^2``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        loss: The loss F on the root dataset of ``w`` plus updates, ``[num_updates, num_params]`` to ``[num_updates]``.
        num_byzantine: Malicious clients to tolerate, f, fewer than there are.
        rho: What the length of an update counts, 0 or more.
        penalty: Whether ``|g_i|^2`` is the "sum" of the squares of its entries or their "mean".

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``, or ``rho`` is negative.

    Reference:
        Xie, Koyejo and Gupta, Zeno: Distributed Stochastic Gradient Descent with Suspicion-based Fault-tolerance, ICML
        2019.

    Example:
        >>> updates = torch.tensor([[1.0], [2.0], [-9.0]])
        >>> zeno(updates, lambda u: (u[:, 0] - 2).square(), num_byzantine=1)
        tensor([1.5000])
    """
    check_some(updates)
    check_not_negative("rho", rho)
    rows, start = Rows(updates), loss(torch.zeros_like(updates[:1]))[0]
    scores = zeno_scores(rows, loss(updates), start, rho=rho, penalty=penalty)
    return rows.mean(zeno_weights(scores, num_byzantine=num_byzantine))


def zeno_scores(rows: Rows, losses: Tensor, start: Tensor, *, rho: float, penalty: Penalty = "sum") -> Tensor:
    """The scores of `zeno`, float64 of shape ``[num_clients]``.

    Args:
        rows: The updates.
        losses: The loss of ``w`` plus each of them, shape ``[num_clients]``.
        start: The loss of ``w``, a scalar.
        rho: As for `zeno`.
        penalty: As for `zeno`.
    """
    check_choice("penalty", penalty, Penalty)
    squares = rows.norms.square() / (1 if penalty == "sum" else max(1, rows.num_params))
    # Where nothing is known of w, the losses after it decide.
    start = start.double().nan_to_num(nan=0.0, posinf=0.0)
    return (start - losses.double() - rho * squares).nan_to_num(nan=-torch.inf, neginf=-torch.inf)


def zeno_weights(scores: Tensor, *, num_byzantine: int) -> Tensor:
    """What each update counts in the mean of `zeno`, from its score; float64, shape ``[num_clients]``."""
    check_tolerable(num_byzantine, len(scores))
    return equal_shares(smallest(-scores, len(scores) - num_byzantine), len(scores))


def check_tolerable(num_byzantine: int, num_clients: int) -> None:
    """Raises an `InputError` unless somebody is left without ``num_byzantine`` of the clients."""
    if not 0 <= num_byzantine < num_clients:
        raise InputError(f"num_byzantine={num_byzantine} must be from 0 to {num_clients - 1}: there are {num_clients}")
