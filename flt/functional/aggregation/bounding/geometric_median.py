"""Geometric median: the point with the smallest sum of distances to the updates, by Weiszfeld's iteration."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from flt.errors import InputError, check_choice, check_count, check_positive
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum

Start = Literal["mean", "zero"]
BLUR = 1e-7  # of the typical length: shorter distances, which come from inner products, have few digits
TINY = torch.finfo(torch.float64).tiny


def geometric_median(
    updates: Tensor,
    shares: Tensor | None = None,
    *,
    num_steps: int = 100,
    smoothing: float = 1e-6,
    relative: bool = False,
    tolerance: float = 1e-10,
    start: Start = "mean",
) -> Tensor:
    """The point z with the smallest ``sum_i a_i |z - g_i|``, by the smoothed Weiszfeld iteration.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        shares: What each client counts, a_i, 0 or more, shape ``[num_clients]``; None counts all alike.
        num_steps: Most steps of the iteration (T), 1 or more.
        smoothing: Distances below this one count as this one (nu), above 0.
        relative: Whether ``smoothing`` is in units of the median distance of the updates from z.
        tolerance: The iteration ends once the typical change of a distance is no more than this part of the typical
            distance, medians both.
        start: Where it starts: "mean" is the mean with weights a_i.

    Returns:
        The aggregate, shape ``[num_params]``; zero where all shares are.

    Raises:
        InputError: If a setting or a share is out of range.

    Reference:
        Pillutla, Kakade and Harchaoui, Robust Aggregation for Federated Learning, IEEE TSP 2022.

    Example:
        >>> geometric_median(torch.tensor([[0.0], [1.0], [9.0]])).round(decimals=3)
        tensor([1.])
    """
    iteration = Weiszfeld(num_steps, smoothing, relative, tolerance, start)
    iteration.check()
    shares = updates.new_ones(len(updates)) if shares is None else shares
    if not bool((shares >= 0).all()):
        raise InputError(f"shares={shares.tolist()}: a client counts 0 or more")
    weights = iteration.weights(Gram.of(updates), shares)
    return WeightedSum.of(updates, weights).mean()


@dataclass(frozen=True)
class Weiszfeld:
    """The iteration of `geometric_median`, and its settings, which are explained there.

    Each step takes the mean of the updates with weights ``a_i / max(nu, |z - g_i|)``.
    """

    num_steps: int
    smoothing: float
    relative: bool
    tolerance: float
    start: Start

    def check(self, prefix: str = "") -> None:
        """Raises an `InputError` if a setting is out of range; ``prefix`` comes before its name."""
        check_count(f"{prefix}num_steps", self.num_steps)
        check_positive(f"{prefix}smoothing", self.smoothing)
        if not 0 <= self.tolerance < 1:
            raise InputError(f"{prefix}tolerance={self.tolerance} must be at least 0 and less than 1")
        check_choice(f"{prefix}start", self.start, Start)

    def weights(self, gram: Gram, shares: Tensor) -> Tensor:
        """What each update counts in the mean that the aggregate is, float64, adding up to 1, ``[num_clients]``."""
        device, gram = shares.device, gram.on("cpu")  # steps of a few numbers each
        shares = _shared_out(shares.to("cpu", torch.float64))
        weights, blur = shares, BLUR * _median(gram.relative.diagonal().sqrt())
        distances = gram.norms if self.start == "zero" else gram.distances_from(shares)
        for _ in range(self.num_steps):
            least = self.smoothing * _median(distances) if self.relative else self.smoothing
            weights = _shared_out(shares / distances.clamp(min=max(least, blur, TINY)))
            before, distances = distances, gram.distances_from(weights)
            # Not the sum of distances, in which a huge one hides how far the others still are from the median.
            if _median((distances - before).abs()) <= self.tolerance * _median(distances):
                break
        return weights.to(device)


def _shared_out(weights: Tensor) -> Tensor:
    return weights / weights.sum().clamp(min=TINY)


def _median(values: Tensor) -> float:
    return float(values.quantile(0.5)) if len(values) else 0.0
