"""Sageflow: the more confident updates, weighted by how small their losses are."""

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.choice import check_some
from flt.functional.rows import Rows


def sageflow(
    updates: Tensor,
    losses: Tensor,
    entropies: Tensor,
    num_examples: Tensor,
    *,
    max_entropy: float,
    exponent: float,
) -> Tensor:
    """Mean of the updates whose predictions are confident, weighted by ``n_i / F(w + g_i)^delta``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        losses: The loss F on public data of ``w`` plus each update, shape ``[num_clients]``.
        entropies: The mean entropy of its predictions there, shape ``[num_clients]``.
        num_examples: Size of each client's data, n_i, shape ``[num_clients]``.
        max_entropy: Mean entropy from which on an update is dropped (E_th), above 0.
        exponent: How much losses count (delta), 0 or more.

    Returns:
        The aggregate, shape ``[num_params]``; zero where everyone is dropped.

    Raises:
        InputError: If a setting is out of range, or there are no updates.

    Reference:
        Park, Han, Choi and Moon, Sageflow: Robust Federated Learning against Both Stragglers and Adversaries, NeurIPS
        2021.

    Example:
        >>> updates, losses, doubt = torch.eye(3), torch.tensor([1.0, 3.0, 1.0]), torch.tensor([0.1, 0.2, 2.0])
        >>> sageflow(updates, losses, doubt, torch.ones(3), max_entropy=1.0, exponent=1.0)
        tensor([0.7500, 0.2500, 0.0000])
    """
    check_some(updates)
    weights = sageflow_weights(losses, entropies, num_examples, max_entropy=max_entropy, exponent=exponent)
    return Rows(updates).mean(weights)


def sageflow_weights(
    losses: Tensor, entropies: Tensor, num_examples: Tensor, *, max_entropy: float, exponent: float
) -> Tensor:
    """What each update counts in the mean of `sageflow`; float64, shape ``[num_clients]``, no more than 1."""
    if not max_entropy > 0 or not 0 <= exponent < float("inf"):
        raise InputError(f"max_entropy={max_entropy} must be above 0, exponent={exponent} a number of 0 or more")
    losses, sizes = losses.double(), num_examples.to(losses.device).double()
    kept = (entropies < max_entropy) & losses.isfinite() & (sizes > 0)
    # In units of the smallest loss, or a loss of zero would be infinitely good and one of 1e-200 as well.
    least = losses.masked_fill(~kept, torch.inf).min() if len(losses) else losses.sum()
    worse = torch.where(losses == least, 1.0, least / losses)
    return torch.where(kept, sizes / sizes.max().clamp(min=1) * worse**exponent, 0.0)
