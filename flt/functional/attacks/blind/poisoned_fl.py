"""PoisonedFL: all malicious clients push the global model the same way in every round."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import sent

NEVER_ZERO = 1e-9  # what is added to the length of the last sent vector, as the authors do


def poisoned_fl(
    updates: Tensor,
    malicious: Tensor,
    parameters: Tensor,
    state: Mapping[str, Any] | None = None,
    *,
    scale: float = 8.0,
    period: int = 50,
    shrink: float = 0.7,
    least_scale: float = 0.5,
    confidence: float = 0.99,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, dict[str, Any]]:
    """Updates of all clients with those of the malicious ones replaced by PoisonedFL's, and its state.

    With h the last step of the global model, k what was sent last, and s random signs that stay for the whole run, all
    malicious clients send

    ``c |h| v / |v| * s,  v = |h - |h| k / (|k| + 1e-9)|``

    where the product with s and the outer absolute value are entry by entry; zero in the first round. Every ``period``
    rounds the attack looks whether the global model has moved along s: were its signs random, the number of its entries
    that moved along s would be below the ``confidence`` quantile of a binomial distribution. Where it is, the attack
    has failed so far, and c is multiplied by ``shrink``, unless that makes it less than ``least_scale``.

    Args:
        updates: Honest updates of all clients, of which nothing is used, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        parameters: The global model at the start of the round, shape ``[num_params]``.
        state: What this function has returned in the round before; None in the first one.
        scale: The first c.
        period: Rounds between two tests.
        shrink: Factor of c after a test that failed.
        least_scale: What c never falls below.
        confidence: Probability with which a model that moves at random fails the test.
        generator: Source of the signs, ``[num_params]`` in the first round.

    Returns:
        What the server receives, a new tensor of shape ``[num_clients, num_params]``, and the state for the next round.
        A round in which nobody is malicious moves the state as well, but for k.

    Reference:
        Xie, Fang, Gong, Model Poisoning Attacks to Federated Learning via Multi-Round Consistency, CVPR 2025.

    Example:
        >>> malicious = torch.tensor([True, False])
        >>> first, state = poisoned_fl(torch.ones(2, 3), malicious, torch.zeros(3))
        >>> second, state = poisoned_fl(torch.ones(2, 3), malicious, torch.tensor([1.0, -2.0, 2.0]), state)
        >>> [round(float(vector.norm()), 3) for vector in (first[0], second[0])]
        [0.0, 24.0]
    """
    now = dict(state or _start(parameters, scale, generator))
    now["rounds"] += 1
    if now["rounds"] == period:
        failed = bool(now["sent"].any()) and not _moved_along(parameters, now, confidence)
        shrunk = now["scale"] * (shrink if failed else 1.0)
        now |= {"tested": parameters, "rounds": 0, "scale": shrunk if shrunk >= least_scale else now["scale"]}
    received = sent(updates, malicious, _crafted(parameters, now))
    now["parameters"] = parameters
    if malicious.any():
        now["sent"] = received[malicious][0]
    return received, now


def _start(parameters: Tensor, scale: float, generator: torch.Generator | None) -> dict[str, Any]:
    """The state before the first round."""
    draws = torch.rand(len(parameters), generator=generator, device=parameters.device, dtype=parameters.dtype)
    state: dict[str, Any] = {"signs": torch.where(draws < 0.5, -1.0, 1.0).to(parameters), "scale": scale}
    return state | {"parameters": parameters, "sent": torch.zeros_like(parameters), "tested": parameters, "rounds": -1}


def _crafted(parameters: Tensor, state: Mapping[str, Any]) -> Tensor:
    """What is sent once the global model has these parameters, in float64."""
    step, last = parameters.double() - state["parameters"].double(), state["sent"].double()
    length = step.norm()
    spread: Tensor = (step - last * (length / (last.norm() + NEVER_ZERO))).abs_()
    magnitudes = torch.where(spread.norm() > 0, spread * (state["scale"] * length / spread.norm()), 0.0)
    return magnitudes.copysign_(state["signs"].double())


def _moved_along(parameters: Tensor, state: Mapping[str, Any], confidence: float) -> bool:
    """Whether more entries of the global model have moved along the signs since the last test than by chance."""
    change = parameters - state["tested"]
    direction = torch.where(change == 0, parameters, change).sign()
    return int((direction == state["signs"]).sum()) >= binomial_quantile(len(parameters), confidence)


@functools.lru_cache(maxsize=8)
def binomial_quantile(num_trials: int, probability: float) -> int:
    """The least q with ``P(X <= q) >= probability`` where X is how often a fair coin falls on heads.

    Args:
        num_trials: How often it is thrown.
        probability: Above 0 and below 1.

    Example:
        >>> binomial_quantile(10, 0.99), binomial_quantile(1_204_682, 0.99)
        (9, 603618)
    """
    width = 6 * num_trials**0.5 + 1  # 12 standard deviations, beyond which nothing is left in float64
    first = max(0, math.floor(num_trials / 2 - width))
    heads = torch.arange(first, min(num_trials, math.ceil(num_trials / 2 + width)) + 1, dtype=torch.float64)
    logarithms = math.lgamma(num_trials + 1) - torch.lgamma(heads + 1) - torch.lgamma(num_trials - heads + 1)
    at_least = (logarithms - num_trials * math.log(2)).exp().flip(0).cumsum(0).flip(0)
    # A tie, but for rounding, is enough.
    return int(first + (at_least > (1 - probability) * (1 + 1e-9)).sum()) - 1
