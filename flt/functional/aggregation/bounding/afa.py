"""Adaptive federated averaging: clients whose direction is far from the mean's are left out, and remembered for it."""

import math

import torch
from torch import Tensor

from flt.errors import check_not_negative, check_positive
from flt.functional.gram import Gram
from flt.functional.weighted_sum import WeightedSum

SLACK = 1e-12  # of cosines: differences that are rounding
TINY = torch.finfo(torch.float64).tiny


def afa(
    updates: Tensor, num_examples: Tensor, trust: Tensor | None = None, *, threshold: float = 2.0, growth: float = 0.5
) -> Tensor:
    """Mean of the updates weighted by ``p_i |D_i|``, less those whose cosine with it is far from the median cosine.

    Those are left out whose cosine lies more than xi standard deviations from the median, on the side on which the mean
    of the cosines lies; then the same is asked of the rest with a larger xi, until nobody is left out.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        num_examples: Number of local examples ``|D_i|`` of each client, shape ``[num_clients]``.
        trust: Probability p_i that a client is a good one, shape ``[num_clients]``; None trusts all alike.
        threshold: xi of the first pass, above 0.
        growth: What is added to xi after each pass, 0 or more.

    Returns:
        The aggregate, shape ``[num_params]``; zero where no client has an example.

    Raises:
        InputError: If a setting is out of range.

    Reference:
        Munoz-Gonzalez, Co and Lupu, Byzantine-Robust Federated Machine Learning through Adaptive Model Averaging, 2019.

    Example:
        >>> afa(torch.tensor([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.1]]), torch.ones(4), threshold=1.0)
        tensor([2., 0.])
    """
    check_afa(threshold=threshold, growth=growth)
    counted = num_examples.double() if trust is None else num_examples.double() * trust
    kept = afa_kept(Gram.of(updates), counted, threshold=threshold, growth=growth)
    shares = counted / counted.sum().clamp(min=TINY) * kept
    return WeightedSum.of(updates, shares).mean()


def check_afa(*, threshold: float, growth: float, prefix: str = "") -> None:
    """Raises an `InputError` if a setting is out of range; ``prefix`` comes before its name."""
    check_positive(f"{prefix}threshold", threshold)
    check_not_negative(f"{prefix}growth", growth)


def afa_kept(gram: Gram, counted: Tensor, allowed: Tensor | None = None, *, threshold: float, growth: float) -> Tensor:
    """Which updates are in the mean that `afa` is, boolean of shape ``[num_clients]``.

    Args:
        gram: Inner products of the updates.
        counted: What each update counts, shape ``[num_clients]``.
        allowed: Which updates are considered at all, boolean of shape ``[num_clients]``; None for all.
        threshold: xi of the first pass.
        growth: What is added to xi after each pass.
    """
    device, gram, counted = counted.device, gram.on("cpu"), counted.to("cpu", torch.float64)  # passes of few numbers
    kept = torch.ones(len(counted), dtype=torch.bool) if allowed is None else allowed.cpu()
    products, lengths = gram.inner_products, torch.where(gram.norms > 0, gram.norms, torch.inf)
    while kept.any():
        shares = counted * kept
        along = products @ (shares / shares.sum().clamp(min=TINY))
        length = float((along @ shares / shares.sum().clamp(min=TINY)).clamp(min=0.0).sqrt())
        cosines = along / lengths / (length or math.inf)
        among = cosines[kept]
        middle, far = among.quantile(0.5), threshold * among.std(correction=0) + SLACK
        is_out = cosines < middle - far if among.mean() < middle else cosines > middle + far
        if not (is_out & kept).any():
            break
        kept = kept & ~is_out
        threshold += growth
    return kept.to(device)


def doubt(good: Tensor, bad: Tensor) -> Tensor:
    """Probability that a client is a good one less than half of the time, float64 of shape ``[num_clients]``.

    That is ``P(x < 1/2)`` for x of the beta distribution with parameters ``good`` and ``bad``.

    Args:
        good: How often it was kept, and the prior, whole numbers of 1 or more, shape ``[num_clients]``.
        bad: How often it was left out, and the prior, whole numbers of 1 or more, shape ``[num_clients]``.

    Example:
        >>> doubt(torch.tensor([3, 1]), torch.tensor([3, 2]))
        tensor([0.5000, 0.7500], dtype=torch.float64)
    """
    # As likely as that of good + bad - 1 tossed coins at least ``good`` show heads.
    good, tosses = good.double()[:, None], (good + bad - 1).double()[:, None]
    heads = torch.arange(int(tosses.max()) + 1 if len(tosses) else 0, device=good.device).double()
    ways = (tosses + 1).lgamma() - (heads + 1).lgamma() - (tosses - heads + 1).clamp(min=1.0).lgamma()
    chances = (ways - tosses * math.log(2.0)).exp()
    return torch.where((heads >= good) & (heads <= tosses), chances, 0.0).sum(dim=1)
