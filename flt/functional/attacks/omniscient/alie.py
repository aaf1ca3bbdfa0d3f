"""ALIE, "a little is enough": a shift small enough to hide in the spread of the benign updates."""

from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import Knowledge, known, mean_and_deviation, sent

Sign = Literal["minus", "plus"]
Formula = Literal["formula"]
Shift = float | Formula


def alie(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    z: Shift = 1.5,
    sign: Sign = "minus",
    ddof: int = 0,
    num_clients: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by ALIE's.

    All of them send ``mean - z deviation``, both taken coordinate by coordinate over the updates that they know.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own).
        z: How many standard deviations they lie off the mean; "formula" is `alie_shift`.
        sign: "minus" is the paper's; "plus" lies as far on the other side.
        ddof: What is taken from the number of known updates in the variance's divisor.
        num_clients: Clients of the round (n), of whom the others are taken to be benign; None for as many as there are
            updates.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Baruch, Baruch and Goldberg, A Little Is Enough: Circumventing Defenses For Distributed Learning, NeurIPS 2019,
        Algorithm 3.

    Example:
        >>> alie(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([False, False, True]))[2]
        tensor([0.5000])
    """
    check_choice("sign", sign, Sign)
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    shift = shift_of(z, malicious, num_clients)
    mean, deviation = mean_and_deviation(updates, rows, ddof=ddof)
    return sent(updates, malicious, mean + (-shift if sign == "minus" else shift) * deviation)


def alie_shift(num_clients: int, num_malicious: int) -> float:
    """The largest shift z with which enough benign clients lie further from the mean than the malicious ones.

    ``z = Phi^-1((n - m - s) / (n - m))`` with ``s = floor(n/2 + 1) - m``, the benign clients that the malicious ones
    need on their side to be a majority; s is 1 where they are one by themselves. Where z would be negative, or nobody
    is benign, it is 0.

    Args:
        num_clients: Clients of the round (n).
        num_malicious: Malicious ones among them (m).

    Example:
        >>> round(alie_shift(50, 24), 3), alie_shift(10, 2)
        (1.426, 0.0)
    """
    num_benign = num_clients - num_malicious
    supporters = max(num_clients // 2 + 1 - num_malicious, 1)
    share = (num_benign - supporters) / num_benign if num_benign else 0.0
    return NormalDist().inv_cdf(share) if share > 0.5 else 0.0


def shift_of(z: Shift, malicious: Tensor, num_clients: int | None = None) -> float:
    """A given number of standard deviations, or that of the formula for these clients.

    Args:
        z: The number, or "formula".
        malicious: Boolean mask, shape ``[num_clients]``.
        num_clients: Clients of the round; None for those of the mask.

    Example:
        >>> shift_of(1.5, torch.arange(50) < 24), round(shift_of("formula", torch.arange(50) < 24), 3)
        (1.5, 1.426)
    """
    if not isinstance(z, str):
        return z
    check_choice("z", z, Formula)
    return alie_shift(num_clients or len(malicious), int(malicious.sum()))
