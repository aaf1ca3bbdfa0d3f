"""FLTrust: the server's own update decides how much each client is trusted and how long its update may be."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from flt.errors import check_choice
from flt.functional.distances import cosines_of_length, norms

Rescale = Literal["all", "longer", "none"]


class FLTrustWeights(NamedTuple):
    """What `fltrust` multiplies each update by, apart for judgement and length.

    Attributes:
        clients: Normalised trust score of each client, ``TS_i / sum_j TS_j``, shape ``[num_clients]``.
        root: Normalised trust score of the root update, a scalar; 0 unless it joins the mean.
        scales: Factor that brings each update to the length of the root update, shape ``[num_clients]``.
        trust_scores: The scores before normalisation, shape ``[num_clients]``.
        lengths: Norm of each update, float64, shape ``[num_clients]``.
    """

    clients: Tensor
    root: Tensor
    scales: Tensor
    trust_scores: Tensor
    lengths: Tensor

    def combine(self, updates: Tensor, root_update: Tensor) -> Tensor:
        """The weighted mean of the rescaled updates, shape ``[num_params]``."""
        # One matrix-vector product: the rescaled updates are never written to memory.
        return (self.clients * self.scales).to(updates.dtype) @ updates + self.root * root_update

    def average(self, values: Tensor, root_values: Tensor) -> Tensor:
        """The mean of what comes with the updates, ``[num_clients, num_values]``, weighted alike but not rescaled."""
        return self.clients.to(values.dtype) @ values + self.root * root_values


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
    weights = fltrust_weights(updates, root_update, relu=relu, rescale=rescale, include_root=include_root)
    return weights.combine(updates, root_update)


def fltrust_weights(
    updates: Tensor,
    root_update: Tensor,
    *,
    relu: bool = True,
    rescale: Rescale = "all",
    include_root: bool = False,
) -> FLTrustWeights:
    """The weights behind `fltrust`, whose arguments these are."""
    check_choice("rescale", rescale, Rescale)
    lengths, root_norm = norms(updates), norms(root_update[None])[0]
    cosines = cosines_of_length(updates, lengths, root_update, root_norm)
    scores = cosines.clamp(min=0.0) if relu else cosines
    root_score = scores.new_tensor(1.0 if include_root else 0.0) * (root_norm > 0)
    total = scores.sum(dtype=torch.float64) + root_score
    share = torch.where(total != 0, 1.0 / total, 0.0)
    return FLTrustWeights(
        clients=scores * share,
        root=(root_score * share).to(root_update.dtype),
        scales=_scales(lengths, root_norm, rescale),
        trust_scores=scores,
        lengths=lengths,
    )


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
