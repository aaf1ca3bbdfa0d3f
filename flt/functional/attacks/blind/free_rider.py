"""Free-riders: updates that look like work and are none."""

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import sent


def free_rider(
    updates: Tensor,
    malicious: Tensor,
    step: Tensor | None = None,
    *,
    deviation: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with a step of the global model, noise or both in the place of the malicious ones.

    ``u + deviation z_i`` from malicious client i, with z_i from N(0, I).

    Args:
        updates: Honest updates of all clients, of which nothing is used, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        step: The step u, such as the last one of the global model, shape ``[num_params]``; None for none.
        deviation: Standard deviation of the noise.
        generator: Source of the draws, one ``[num_malicious, num_params]`` block of normal numbers unless
            ``deviation`` is 0.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Lin, Du, Liu, Free-riders in Federated Learning: Attacks and Defenses, 2019; Fraboni, Vidal, Lorenzi,
        Free-rider Attacks on Model Aggregation in Federated Learning, AISTATS 2021, Algorithm 1.

    Example:
        >>> free_rider(torch.zeros(2, 2), torch.tensor([True, False]), torch.tensor([1.0, 2.0])).tolist()
        [[1.0, 2.0], [0.0, 0.0]]
    """
    crafted = updates.new_zeros(updates.shape[1]) if step is None else step
    if deviation:
        noise = updates.new_empty(int(malicious.sum()), updates.shape[1]).normal_(generator=generator)
        crafted = crafted.double() + deviation * noise.double()
    return sent(updates, malicious, crafted)


def lazy_rider(updates: Tensor, malicious: Tensor, earlier: Tensor, has_earlier: Tensor) -> Tensor:
    """Updates of all clients with earlier ones in the place of those malicious ones that have one.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        earlier: What clients have sent before, shape ``[num_clients, num_params]``.
        has_earlier: Which clients have sent something before, boolean of shape ``[num_clients]``.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Example:
        >>> malicious, earlier = torch.tensor([True, True, False]), torch.full((3, 1), 5.0)
        >>> lazy_rider(torch.ones(3, 1), malicious, earlier, torch.tensor([True, False, True])).tolist()
        [[5.0], [1.0], [1.0]]
    """
    return torch.where((malicious & has_earlier)[:, None], earlier, updates)
