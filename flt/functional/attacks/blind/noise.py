"""Noise in place of an update, or on top of it."""

from typing import Literal

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.attacks.knowledge import known, mean_and_deviation, sent

Placement = Literal["replace", "add"]


def gaussian_noise(
    updates: Tensor,
    malicious: Tensor,
    *,
    placement: Placement = "replace",
    mean: float = 0.0,
    scale: float = 1.0,
    relative: bool = False,
    shared: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with normal noise in the place of the malicious ones, or added to them.

    ``g_i = mean + scale z_i`` ("replace") or ``g_i + mean + scale z_i`` ("add") with z_i from N(0, I).

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        placement: "replace" or "add".
        mean: Mean of the noise.
        scale: Standard deviation of the noise.
        relative: Whether mean and scale are in units of ``|mu| / sqrt(num_params)``, mu the mean of the malicious
            clients' own updates: with scale 1 the noise is then about as long as mu.
        shared: Whether all malicious clients send the same noise.
        generator: Source of the draws, one ``[num_malicious, num_params]`` block of normal numbers; ``[1, num_params]``
            if shared.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NIPS 2017.

    Example:
        >>> gaussian_noise(torch.zeros(2, 1), torch.tensor([True, False]), mean=2.0, scale=0.0).tolist()
        [[2.0], [0.0]]
    """
    draws = updates.new_empty(_shape(updates, malicious, shared)).normal_(generator=generator)
    return _noisy(updates, malicious, draws, placement, mean, scale, relative)


def uniform_noise(
    updates: Tensor,
    malicious: Tensor,
    *,
    placement: Placement = "replace",
    mean: float = 0.0,
    scale: float = 1.0,
    relative: bool = False,
    shared: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Updates of all clients with uniform noise in the place of the malicious ones, or added to them.

    ``g_i = mean + scale z_i`` ("replace") or ``g_i + mean + scale z_i`` ("add") with the entries of z_i from
    [-1, 1).

    Args:
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        placement: "replace" or "add".
        mean: Mean of the noise.
        scale: Largest distance from it (a).
        relative: As in `gaussian_noise`.
        shared: Whether all malicious clients send the same noise.
        generator: Source of the draws, one ``[num_malicious, num_params]`` block of uniform numbers;
            ``[1, num_params]`` if shared.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``.

    Example:
        >>> sent = uniform_noise(torch.zeros(2, 9), torch.tensor([True, False]), scale=0.5)
        >>> bool(0 < sent[0].abs().max() <= 0.5)
        True
    """
    draws = updates.new_empty(_shape(updates, malicious, shared)).uniform_(generator=generator)
    return _noisy(updates, malicious, draws.mul_(2).sub_(1), placement, mean, scale, relative)


def _shape(updates: Tensor, malicious: Tensor, shared: bool) -> tuple[int, int]:
    num_malicious = int(malicious.sum())
    return min(num_malicious, 1) if shared else num_malicious, updates.shape[1]


def _noisy(
    updates: Tensor,
    malicious: Tensor,
    draws: Tensor,
    placement: Placement,
    mean: float,
    scale: float,
    relative: bool,
) -> Tensor:
    check_choice("placement", placement, Placement)
    own = known(updates, malicious, "partial")
    if not len(own):
        return updates
    unit = 1.0
    if relative:
        unit = float(mean_and_deviation(updates, own)[0].norm()) / updates.shape[1] ** 0.5
    noise = draws.double().mul_(scale * unit).add_(mean * unit)
    if placement == "add":
        noise = noise + updates.index_select(0, own)
    return sent(updates, malicious, noise.expand(len(own), -1))
