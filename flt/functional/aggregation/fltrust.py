"""FLTrust: the server's own update decides how much each client is trusted and how long its update may be."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.distances import LONGEST, cosines_of_length, norms
from flt.functional.weighted_sum import WeightedSum

Rescale = Literal["all", "longer", "none"]


class FLTrustWeights(NamedTuple):
    """What `fltrust` makes of each client, apart for judgement and length.

    Attributes:
        trust_scores: What each client counts in the mean, shape ``[num_clients]``.
        scales: Factor that brings each update to the length of the root update, shape ``[num_clients]``.
        lengths: Norm of each update, float64, shape ``[num_clients]``; 0 for one that is as good as zero.
        cosines: Cosine of each update with the root update, shape ``[num_clients]``.
        root_norm: Norm of the root update, a float64 scalar.
    """

    trust_scores: Tensor
    scales: Tensor
    lengths: Tensor
    cosines: Tensor
    root_norm: Tensor

    def sum_of(self, updates: Tensor, share: float) -> WeightedSum:
        """The rescaled ``updates``, shape ``[num_clients, num_params]``, weighted by ``share`` times trust score."""
        return self.weighted(updates, self.trust_scores.double() * share)

    def weighted(self, updates: Tensor, weights: Tensor) -> WeightedSum:
        """The rescaled ``updates`` with ``weights``, float64 of shape ``[num_clients]``, in place of trust scores."""
        # The factor that brings so long an update to the root's length would lose its digits in float32.
        exact = float(self.lengths.max()) > LONGEST
        return WeightedSum.of(updates, weights * self.scales, weights, exact=exact)


def fltrust(
    updates: Tensor,
    root_update: Tensor,
    *,
    relu: bool = True,
    rescale: Rescale = "all",
    include_root: bool = False,
) -> Tensor:
    r"""Mean of the rescaled client updates, weighted by their trust scores.

    ``g = 1 / sum_j TS_j * sum_i TS_i * |g_0| / |g_i| * g_i`` with ``TS_i = ReLU(cos(g_i, g_0))``.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        root_update: The server's update g_0, computed on the root dataset, shape ``[num_params]``.
        relu: Whether negative cosines count as 0; False is FLTrust-NoReLU.
        rescale: Which updates are brought to the length of ``root_update``: "all", only those "longer" than it
            (FLTrust-ParNorm) or "none" (FLTrust-NoNorm).
        include_root: Whether ``root_update`` joins the mean with trust score 1 (FLTrust-withServer).

    Returns:
        The aggregate, shape ``[num_params]``; zero where all trust scores or ``root_update`` are zero.

    Reference:
        Cao et al., FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping, NDSS 2021, Algorithm 2 and
        Table IV.

    Example:
        >>> fltrust(torch.tensor([[10.0, 0.0], [-5.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1., 0.])
    """
    check_choice("rescale", rescale, Rescale)
    share = 1.0 / len(updates)  # which keeps the sum below the longest summand
    total = fltrust_weights(updates, root_update, relu=relu, rescale=rescale).sum_of(updates, share)
    if include_root:
        total = total.plus(root_sum(root_update, share))
    return total.mean()


def fltrust_weights(
    updates: Tensor, root_update: Tensor, *, relu: bool = True, rescale: Rescale = "all"
) -> FLTrustWeights:
    """The weights behind `fltrust`, whose arguments these are."""
    lengths, root_norm = norms(updates), norms(root_update[None])[0]
    # An update so short that the factor which brings it to the root's length overflows is as good as zero.
    is_short = root_norm > lengths * (torch.finfo(updates.dtype).max / 4)
    lengths = lengths.masked_fill(is_short, 0.0)
    cosines = cosines_of_length(updates, lengths, root_update, root_norm)
    scores = cosines.clamp(min=0.0) if relu else cosines
    return FLTrustWeights(scores, _scales(lengths, root_norm, rescale), lengths, cosines, root_norm)


def root_sum(root_update: Tensor, share: float) -> WeightedSum:
    """The root update as one more client, with trust score 1; it counts nothing where it is zero."""
    return WeightedSum.of(root_update[None], root_update.any().double()[None] * share)


def trust_scores(updates: Tensor, root_update: Tensor, *, relu: bool = True) -> Tensor:
    """Trust score of each client: its cosine with the root update, clipped below at 0 if ``relu``.

    Args:
        updates: Client updates, shape ``[num_clients, num_params]``.
        root_update: The server's update, shape ``[num_params]``.
        relu: Whether negative cosines count as 0.

    Returns:
        Scores in [0, 1] ([-1, 1] without ``relu``), shape ``[num_clients]``.

    Example:
        >>> trust_scores(torch.tensor([[2.0, 0.0], [-2.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1., 0.])
    """
    return fltrust_weights(updates, root_update, relu=relu).trust_scores


def _scales(lengths: Tensor, root_norm: Tensor, rescale: Rescale) -> Tensor:
    if rescale == "none":
        # Without a root update there is no judgement either, and the aggregate stays zero.
        return torch.ones_like(lengths) * (root_norm > 0)
    scales = torch.where(lengths > 0, root_norm / lengths, 0.0)
    return scales.clamp(max=1.0) if rescale == "longer" else scales
