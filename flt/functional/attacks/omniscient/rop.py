"""ROP, relocated orthogonal perturbation: from the last aggregate on, at a right angle to where the clients go."""

import math

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import Knowledge, known, mean_of, sent
from flt.functional.attacks.omniscient.alie import Shift, shift_of

PARALLEL = 1e-6  # of the length of a vector: below it, what is left beside a direction is rounding


def rop(
    updates: Tensor,
    malicious: Tensor,
    last: Tensor,
    *,
    knowledge: Knowledge = "full",
    z: Shift = "formula",
    angle: float = 90.0,
    location_share: float = 1.0,
    reference_share: float = 0.9,
    num_clients: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with those of the malicious ones replaced by ROP's.

    All of them send ``pi a + (1 - pi) mean + z (q sin(theta) + r cos(theta))`` with the last aggregate a, the unit
    vector r along ``lambda a + (1 - lambda) mean``, and q along what is left of the vector of ones beside r. Where
    nothing is left, q is random; where r is zero, the unit vector of ones takes the place of the whole bracket.

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        last: The last aggregate, shape ``[num_params]``; zero in the first round.
        knowledge: Whose mean: "full" (the benign clients') or "partial" (the malicious clients' own honest one).
        z: Length of the perturbation; "formula" is ALIE's, as a length.
        angle: theta, in degrees.
        location_share: pi.
        reference_share: lambda.
        num_clients: Clients of the round (n), of whom the others are taken to be benign; None for as many as there are
            updates.
        generator: Source of q where it is random: ``[num_params]`` normal numbers.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Ozfatura et al., Byzantines can also Learn from History: Fall of Centered Clipping in Federated Learning, IEEE
        TIFS 2024.

    Example:
        >>> honest, malicious = torch.tensor([[2.0, 0.0], [2.0, 0.0], [9.0, 9.0]]), torch.tensor([False, False, True])
        >>> rop(honest, malicious, torch.tensor([1.0, 0.0]), z=0.5)[2]
        tensor([1.0000, 0.5000])
    """
    rows = known(updates, malicious, knowledge)
    if not len(rows):
        return updates
    mean, last = mean_of(updates, rows), last.double()
    location = location_share * last + (1.0 - location_share) * mean
    reference = reference_share * last + (1.0 - reference_share) * mean
    direction = _perturbation(reference, math.radians(angle), updates.dtype, generator)
    return sent(updates, malicious, location + shift_of(z, malicious, num_clients) * direction)


def _perturbation(reference: Tensor, angle: float, dtype: torch.dtype, generator: torch.Generator | None) -> Tensor:
    """The unit vector at an angle to the reference, towards what is left of the vector of ones beside it."""
    ones = torch.ones_like(reference)
    if not reference.any():
        return torch.full_like(ones, len(ones) ** -0.5)
    along = reference / reference.norm()
    aside = _beside(ones, along)
    if not aside.any():
        aside = _beside(torch.randn(len(ones), generator=generator, device=ones.device, dtype=dtype).double(), along)
    turned: Tensor = math.sin(angle) * aside + math.cos(angle) * along
    return turned


def _beside(vector: Tensor, along: Tensor) -> Tensor:
    """The unit vector along what is left of a vector without its part along another one; zero where nothing is."""
    left: Tensor = vector - vector @ along * along
    length = left.norm()
    return torch.where(length > PARALLEL * vector.norm(), left / length, 0.0)
