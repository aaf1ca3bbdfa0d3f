"""ByzMean: two groups of malicious clients, of which the second moves the plain mean to what the first sends."""

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import Knowledge, known, mean_and_deviation, sent


def byz_mean(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    z: float = 0.5,
    ddof: int = 0,
    num_clients: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by ByzMean's.

    The first ``m1 = floor(m / 2)`` malicious clients send ``g1 = mean - z deviation``, the other m2 send
    ``((n - m1) g1 - b mean) / m2``, so that the plain mean of all n clients, b of them benign, is g1.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (the benign clients' updates) or "partial" (the malicious clients' own, whose mean then stands
            for that of the benign ones).
        z: How many standard deviations g1 lies off the mean.
        ddof: What is taken from the number of known updates in the variance's divisor.
        num_clients: Clients of the round (n), of whom those without an update here are taken to send the mean; None for
            as many as there are updates.
        generator: Not used; nothing is drawn.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Xu et al., Byzantine-robust Federated Learning through Collaborative Malicious Gradient Filtering (SignGuard),
        ICDCS 2022.

    Example:
        >>> byz_mean(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([False, False, True])).mean(dim=0)
        tensor([1.5000])
    """
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    mean, deviation = mean_and_deviation(updates, rows, ddof=ddof)
    num_clients, num_malicious = num_clients or len(updates), int(malicious.sum())
    hidden, num_benign = num_malicious // 2, num_clients - num_malicious
    target = mean - z * deviation
    rest = ((num_clients - hidden) * target - num_benign * mean) / (num_malicious - hidden)
    groups = torch.arange(num_malicious, device=updates.device)[:, None] < hidden
    return sent(updates, malicious, torch.where(groups, target, rest))
