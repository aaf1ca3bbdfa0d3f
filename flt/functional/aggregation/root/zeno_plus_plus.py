"""Zeno++: the mean of the updates, brought to the length of the server's own, that go its way."""

from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice, check_not_negative, check_positive
from flt.functional.distances import norms
from flt.functional.rows import Rows

PenaltyOf = Literal["rescaled", "sent"]


def zeno_plus_plus(
    updates: Tensor,
    root_update: Tensor,
    *,
    gamma: float = 0.1,
    rho: float = 0.001,
    epsilon: float = 0.0,
    penalty: PenaltyOf = "rescaled",
) -> Tensor:
    """Mean of the updates g_i', brought to the root update's length, that go its way.

    Those count for which ``gamma <v, g_i'> - rho |g_i'|^2 + gamma epsilon >= 0``.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        root_update: The server's update v on its root dataset, shape ``[num_params]``.
        gamma: What agreement with v counts, above 0.
        rho: What length counts, 0 or more.
        epsilon: How far an update may go the other way, 0 or more.
        penalty: Whose length counts: that of the "rescaled" update, or of the update as it was "sent".

    Returns:
        The aggregate, shape ``[num_params]``; zero where no update is accepted.

    Raises:
        InputError: If a setting is out of range.

    Reference:
        Xie, Koyejo and Gupta, Zeno++: Robust Fully Asynchronous SGD, ICML 2020.

    Example:
        >>> zeno_plus_plus(torch.tensor([[3.0, 0.0], [-1.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1., 0.])
    """
    check_zeno_plus_plus(gamma=gamma, rho=rho, epsilon=epsilon)
    rows = Rows(updates)
    scores, scales = zeno_plus_plus_scores(rows, root_update, gamma=gamma, rho=rho, epsilon=epsilon, penalty=penalty)
    return rows.mean(scores >= 0, scales)


def check_zeno_plus_plus(*, gamma: float, rho: float, epsilon: float, prefix: str = "") -> None:
    """Raises an `InputError` if a setting is out of range; ``prefix`` comes before its name."""
    check_positive(f"{prefix}gamma", gamma)
    check_not_negative(f"{prefix}rho", rho)
    check_not_negative(f"{prefix}epsilon", epsilon)


def zeno_plus_plus_scores(
    rows: Rows, root_update: Tensor, *, gamma: float, rho: float, epsilon: float, penalty: PenaltyOf
) -> tuple[Tensor, Tensor]:
    """The scores of `zeno_plus_plus`, and what brings each update to the root update's length; float64 both."""
    check_choice("penalty", penalty, PenaltyOf)
    lengths, root_norm = rows.norms, norms(root_update[None])[0]
    # An update so short that the factor which brings it to the root's length overflows is as good as zero.
    scales = torch.where(lengths * (torch.finfo(torch.float32).max / 4) > root_norm, root_norm / lengths, 0.0)
    counted = lengths if penalty == "sent" else lengths * scales
    along = rows.products_with(root_update) * scales
    return gamma * along - rho * counted.square() + gamma * epsilon, scales
