"""IPM, inner product manipulation ("fall of empires"): the benign mean, turned around and made short."""

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import Knowledge, known, mean_of, sent


def ipm(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    epsilon: float = 0.1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by ``-epsilon mean``.

    With b benign and m malicious clients the mean of all is turned around where ``epsilon > b / m``; a small epsilon
    aims at rules that pick or trim.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: Whose mean: "full" (the benign clients') or "partial" (the malicious clients' own honest one).
        epsilon: The factor.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Xie, Koyejo and Gupta, Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product Manipulation, UAI 2019.

    Example:
        >>> ipm(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([False, False, True]), epsilon=0.5)[2]
        tensor([-1.])
    """
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    return sent(updates, malicious, -epsilon * mean_of(updates, rows))
