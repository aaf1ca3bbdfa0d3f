"""Sign flips: the opposite of what was learnt."""

from typing import Literal

from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import Knowledge, known, mean_and_deviation, sent

Variant = Literal["own", "mean", "ascent"]


def sign_flip(
    updates: Tensor,
    malicious: Tensor,
    *,
    variant: Variant = "own",
    scale: float = 1.0,
    knowledge: Knowledge = "full",
) -> Tensor:
    """Updates of all clients with those of the malicious ones turned around.

    ``-scale g_i`` of each malicious client's own update ("own"), ``-scale mean_k g_k`` of the known updates from all of
    them ("mean"), or ``scale g_i`` of updates that are turned around already, as they come of gradient ascent
    ("ascent").

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        variant: "own", "mean" or "ascent".
        scale: How much longer the turned update is (s).
        knowledge: Whose mean "mean" turns: "full" (all benign updates) or "partial" (the malicious clients' own).

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Li et al., RSA: Byzantine-Robust Stochastic Aggregation Methods, AAAI 2019 (own); Allen-Zhu et al.,
        Byzantine-Resilient Non-Convex Stochastic Gradient Descent, ICLR 2021 (mean).

    Example:
        >>> import torch
        >>> honest = torch.tensor([[1.0], [2.0], [4.0]])
        >>> sign_flip(honest, torch.tensor([True, False, False])).tolist()
        [[-1.0], [2.0], [4.0]]
        >>> sign_flip(honest, torch.tensor([True, False, False]), variant="mean").tolist()
        [[-3.0], [2.0], [4.0]]
    """
    check_choice("variant", variant, Variant)
    rows = known(updates, malicious, knowledge if variant == "mean" else "partial")
    if not len(rows):
        return updates
    mean = variant == "mean"
    turned = mean_and_deviation(updates, rows)[0] if mean else updates.index_select(0, rows).double()
    return sent(updates, malicious, scale * turned if variant == "ascent" else -scale * turned)
