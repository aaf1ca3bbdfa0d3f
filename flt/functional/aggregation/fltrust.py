"""FLTrust: the server's own update decides how much each client is trusted and how long its update may be."""

from typing import NamedTuple

import torch
from torch import Tensor

from flt.errors import InputError, check_choice
from flt.functional.choice import check_some
from flt.functional.distances import LONGEST, norms
from flt.functional.rows import Rows
from flt.functional.trust import FLTRUST, Magnitude, Score, TrustShape
from flt.functional.weighted_sum import WeightedSum


class FLTrustSum(NamedTuple):
    """What `fltrust` makes of some of the clients, before it divides.

    Attributes:
        total: The rescaled updates, weighted by trust score.
        trust_scores: Trust score of each client, shape ``[num_clients]``.
        weights: What each counts in the mean, float64 of shape ``[num_clients]``: a share of its trust score.
        cosines: Cosine of each update with the root update, shape ``[num_clients]``.
        lengths: Norm of each update, float64, shape ``[num_clients]``; 0 for one that is as good as zero.
        root_norm: Norm of the root update, a float64 scalar.
    """

    total: WeightedSum
    trust_scores: Tensor
    weights: Tensor
    cosines: Tensor
    lengths: Tensor
    root_norm: Tensor


def fltrust(
    updates: Tensor,
    root_update: Tensor,
    *,
    score: Score = "relu",
    magnitude: Magnitude = "root",
    include_root: bool = False,
    least_cosine: float = 0.0,
) -> Tensor:
    r"""Mean of the rescaled client updates, weighted by their trust scores.

    ``g = 1 / sum_j TS_j * sum_i TS_i * |g_0| / |g_i| * g_i`` with ``TS_i = ReLU(cos(g_i, g_0))``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        root_update: The server's update g_0, computed on the root dataset, shape ``[num_params]``.
        score: Trust score of a client: "relu" is its cosine with ``root_update``, negative ones counting as 0; "signed"
            the cosine itself (FLTrust-NoReLU); "equal" is 1 whatever its cosine, so that nobody can have more weight
            than anybody else; "none" counts no client (FLTrust-Server, with ``include_root``).
        magnitude: Length to which updates are brought: "root" is that of ``root_update``, "at_most_root" shortens only
            what is longer (FLTrust-ParNorm), "own" leaves them (FLTrust-NoNorm).
        include_root: Whether ``root_update`` joins the mean with trust score 1 (FLTrust-withServer).
        least_cosine: The cosine c up to which the score "relu" trusts nobody, in [0, 1): beyond it a client's score is
            ``(cos(g_i, g_0) - c) / (1 - c)``.

    Returns:
        The aggregate, shape ``[num_params]``; zero where all trust scores or ``root_update`` are zero.

    Raises:
        InputError: If an argument is none of these, ``least_cosine`` has no effect, or there are no updates.

    Reference:
        Cao et al., FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping, NDSS 2021, Algorithm 2 and
        Table IV.

    Example:
        >>> fltrust(torch.tensor([[10.0, 0.0], [-5.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1., 0.])
    """
    check_some(updates)
    shape = TrustShape(score, magnitude, include_root, least_cosine)
    check_trust_shape(shape)
    share = 1.0 / len(updates)  # which keeps the sum below the longest summand
    weighed = fltrust_sum(updates, root_update, share, shape)
    if include_root and not weighed.trust_scores.any():  # alone, the root update is the mean
        return root_update.clone()
    total = weighed.total
    return (total.plus(root_sum(root_update, share)) if include_root else total).mean()


def fltrust_sum(updates: Tensor | Rows, root_update: Tensor, share: float, shape: TrustShape = FLTRUST) -> FLTrustSum:
    """The sum behind `fltrust`, of any part of the clients; a client counts ``share`` times its trust score.

    Args:
        updates: Shape ``[num_clients, num_params]``, or rows of that shape.
        root_update: Shape ``[num_params]``.
        share: What a client with trust score 1 counts.
        shape: The rule's settings.
    """
    rows = updates if isinstance(updates, Rows) else Rows(updates)
    rows = rows if rows.are_known else Rows(rows.tensor)
    lengths, root_norm = rows.norms, norms(root_update[None])[0]
    # An update so short that the factor which brings it to the root's length overflows is as good as zero.
    is_short = root_norm > lengths * (torch.finfo(root_update.dtype).max / 4)
    lengths = lengths.masked_fill(is_short, 0.0)
    cosines = rows.cosines_with(root_update, root_norm, lengths)
    scores = shape.scores(cosines).masked_fill(lengths == 0, 0.0)
    weights = scores.double() * share
    # The factor that brings so long an update to the root's length would lose its digits in float32.
    exact = bool(len(lengths)) and float(lengths.max()) > LONGEST
    total = rows.weighted_sum(weights * _scales(lengths, root_norm, shape.magnitude), weights, exact=exact)
    return FLTrustSum(total, scores, weights, cosines, lengths, root_norm)


def root_sum(root_update: Tensor, share: float) -> WeightedSum:
    """The root update as one more client, with trust score 1; it counts nothing where it is zero."""
    return WeightedSum.of(root_update[None], root_update.any().double()[None] * share)


def trust_scores(updates: Tensor, root_update: Tensor, *, score: Score = "relu") -> Tensor:
    """Trust score of each client: its cosine with the root update, negative ones counting as 0 unless "signed".

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        root_update: The server's update, shape ``[num_params]``.
        score: "relu", "signed", "equal" or "none", as for `fltrust`.

    Returns:
        Scores in [0, 1] ([-1, 1] if "signed"), shape ``[num_clients]``.

    Raises:
        InputError: If ``score`` is none of these.

    Example:
        >>> trust_scores(torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1., 0.])
    """
    shape = TrustShape(score)
    check_trust_shape(shape)
    return fltrust_sum(updates, root_update, 1.0, shape).trust_scores


def check_trust_shape(shape: TrustShape, prefix: str = "") -> None:
    """Raises an `InputError` if a setting is out of range or has no effect; ``prefix`` comes before its name."""
    check_choice(f"{prefix}score", shape.score, Score)
    check_choice(f"{prefix}magnitude", shape.magnitude, Magnitude)
    if not 0 <= shape.least_cosine < 1:
        raise InputError(f"{prefix}least_cosine={shape.least_cosine} must be a cosine of 0 or more and less than 1")
    if shape.least_cosine and shape.score != "relu":
        raise InputError(f"{prefix}least_cosine={shape.least_cosine} has no effect with score {shape.score}: drop it")


def _scales(lengths: Tensor, root_norm: Tensor, magnitude: Magnitude) -> Tensor:
    if magnitude == "own":
        # Without a root update there is no judgement either, and the aggregate stays zero.
        return torch.ones_like(lengths) * (root_norm > 0)
    scales = torch.where(lengths > 0, root_norm / lengths, 0.0)
    return scales.clamp(max=1.0) if magnitude == "at_most_root" else scales
