"""The Trim attack: every coordinate just outside what benign clients send, on the wrong side."""

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import Knowledge
from flt.functional.blocks import column_blocks


def trim_attack(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    stretch: float = 2.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by the Trim attack's.

    With s the sign of the mean update, a coordinate that goes down (s < 0) is drawn from ``[max, b max]`` (max > 0) or
    ``[max, max / b]``, and one that goes up from ``[min / b, min]`` (min > 0) or ``[b min, min]``; max and min over the
    benign updates. An attacker who knows only its own updates draws between 3 and 4 standard deviations from their
    mean instead.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        knowledge: "full" (all updates) or "partial" (the malicious clients' own).
        stretch: The factor b > 1 of full knowledge.
        generator: Source of the draws, one ``[num_malicious, num_params]`` block of uniform numbers.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Fang et al., Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security 2020,
        section 4.3.

    Example:
        >>> honest = torch.tensor([[1.0], [2.0], [3.0]])
        >>> sent = trim_attack(honest, torch.tensor([True, False, False]), generator=torch.manual_seed(0))
        >>> bool(1.0 <= sent[0] <= 2.0)
        True
    """
    check_choice("knowledge", knowledge, Knowledge)
    crafted = crafted_rows(updates, malicious, knowledge=knowledge, stretch=stretch, generator=generator)
    if crafted is None:
        return updates
    sent = updates.clone()
    sent[malicious] = crafted
    return sent


def crafted_rows(
    updates: Tensor,
    malicious: Tensor,
    *,
    knowledge: Knowledge = "full",
    stretch: float = 2.0,
    generator: torch.Generator | None = None,
) -> Tensor | None:
    """What malicious clients send in `trim_attack`, shape ``[num_malicious, num_params]``; None if that is honest."""
    num_malicious = int(malicious.sum())
    if num_malicious == 0 or (knowledge == "full" and num_malicious == len(updates)):
        return None
    seen = (malicious if knowledge == "partial" else ~malicious).nonzero().flatten()
    low, high = torch.cat([_interval(block, seen, knowledge, stretch) for block in column_blocks(updates)], dim=1)
    draws = torch.rand(num_malicious, updates.shape[1], generator=generator, device=updates.device, dtype=updates.dtype)
    return draws.mul_(high - low).add_(low)


def _interval(updates: Tensor, seen: Tensor, knowledge: Knowledge, stretch: float) -> Tensor:
    """Ends of the intervals to draw from, ``[2, num_params]``; ``seen`` are the clients whose spread it lies beyond."""
    largest = torch.finfo(updates.dtype).max  # an infinity would be dropped, were it not a NaN after the draw
    if knowledge == "partial":
        own = updates.index_select(0, seen).double()
        mean = own.mean(dim=0)
        deviation = (own - mean).square().mean(dim=0).sqrt()  # five times as fast as torch's std along this dimension
        nearest = torch.where(mean < 0, mean + 3 * deviation, mean - 4 * deviation)
        return torch.stack([nearest, nearest + deviation]).clamp_(-largest, largest).to(updates.dtype)
    benign = updates.index_select(0, seen)
    top, bottom = benign.amax(dim=0), benign.amin(dim=0)
    goes_down = updates.mean(dim=0) < 0
    low = torch.where(goes_down, top, torch.where(bottom > 0, bottom / stretch, bottom * stretch))
    high = torch.where(goes_down, torch.where(top > 0, top * stretch, top / stretch), bottom)
    return torch.stack([low, high]).clamp_(-largest, largest)
