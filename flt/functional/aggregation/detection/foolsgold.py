"""FoolsGold: clients whose updates of all rounds point the same way count less."""

from collections.abc import Iterator

import torch
from torch import Tensor

from flt.errors import SMALLEST, check_positive
from flt.functional.choice import check_some
from flt.functional.distances import shortening
from flt.functional.gram import Gram
from flt.functional.rows import Rows

SAME = 1e-10  # of cosines: directions closer than this are the same, but for the rounding of float32
CAP = 0.99


def foolsgold(
    updates: Tensor,
    history: Tensor | None = None,
    *,
    confidence: float = 1.0,
    normalize: bool = True,
    rescale: bool = False,
) -> Tensor:
    """Sum of the updates, each weighted by how little its client's history resembles that of another client.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        history: Sum of each client's `unit_updates` of all rounds, this one too, shape ``[num_clients, num_params]``;
            None in the first round.
        confidence: How sharply weights are driven to 0 and 1, above 0; the paper's kappa.
        normalize: Whether the sum is divided by the number of clients.
        rescale: Whether updates longer than 1 are brought to length 1 before they are added up.

    Returns:
        The aggregate, shape ``[num_params]``; zero where all clients' histories point the same way.

    Raises:
        InputError: If ``confidence`` is not above 0, or there are no updates.

    Reference:
        Fung, Yoon and Beschastnikh, The Limitations of Federated Learning in Sybil Settings, RAID 2020.

    Example:
        >>> updates = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])
        >>> foolsgold(updates, normalize=False)
        tensor([-1.0000,  1.5000])
    """
    check_some(updates)
    check_positive("confidence", confidence)
    rows = Rows(updates)
    weights = foolsgold_weights(Gram.of(unit_updates(rows) if history is None else history), confidence=confidence)
    return rows.mean(weights, foolsgold_scales(rows, weights, normalize=normalize, rescale=rescale))


def unit_updates(rows: Rows) -> Tensor:
    """The updates, those longer than 1 brought to length 1, shape ``[num_clients, num_params]``."""
    return torch.cat(list(unit_blocks(rows)), dim=1)


def unit_blocks(rows: Rows) -> Iterator[Tensor]:
    """The `unit_updates` some columns at a time, each block of shape ``[num_clients, num_columns]``."""
    scales = shortening(rows.norms, 1.0)[:, None]
    if bool((scales >= SMALLEST).all()):
        scales = scales.to(rows.updates.dtype)
    for block in rows.blocks():
        yield (block * scales).to(block.dtype)  # a factor that float32 does not hold is taken in float64


def foolsgold_weights(histories: Gram, *, confidence: float = 1.0) -> Tensor:
    """What each client counts, in [0, 1], float64 of shape ``[num_clients]``.

    Args:
        histories: Inner products of the clients' histories.
        confidence: As for `foolsgold`.
    """
    alike = histories.cosines.clone().fill_diagonal_(0.0)
    most = alike.max(dim=1).values
    # Pardoned is whoever resembles one that resembles somebody else more.
    pardon = torch.where(most[None, :] > most[:, None], most[:, None] / most[None, :], 1.0)
    unlike = 1.0 - (alike * pardon).max(dim=1).values
    # A history of nothing resembles nobody, and would have others that do lose their weight.
    unlike = torch.where((unlike > SAME) & (histories.norms > 0), unlike, 0.0).clamp(max=1.0)
    shares = (unlike / unlike.max().clamp(min=SAME)).clamp(max=CAP)
    return (confidence * (shares.logit() + 0.5)).clamp(0.0, 1.0)


def foolsgold_scales(rows: Rows, weights: Tensor, *, normalize: bool, rescale: bool) -> Tensor:
    """What to multiply updates by, so that their weighted mean is the sum that `foolsgold` is."""
    total = weights.sum() / (len(weights) if normalize else 1)
    return total * (shortening(rows.norms, 1.0) if rescale else torch.ones_like(weights))
