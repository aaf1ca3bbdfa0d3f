"""FLAME: the mean of the majority whose directions agree, each update shortened to the median length, and noise."""

from typing import NamedTuple

import torch
from torch import Tensor

from flt.functional.aggregation.detection.linkage import single_linkage_majority
from flt.functional.choice import check_some
from flt.functional.distances import shortening
from flt.functional.rows import Rows


class Flame(NamedTuple):
    """What `flame` makes of each update.

    Attributes:
        kept: Which clients are in the cluster, boolean of shape ``[num_clients]``.
        scales: What each update is multiplied by, shape ``[num_clients]``.
        longest: The median length S, a scalar.
    """

    kept: Tensor
    scales: Tensor
    longest: Tensor


def flame(updates: Tensor, *, parameters: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
    """Mean of the updates in the majority's cluster, each shortened to the median length, plus noise.

    ``g = 1 / |C| * sum_(i in C) min(1, S / |g_i|) * g_i + S * noise`` with S the median of all ``|g_i|``. The cluster C
    is the one that HDBSCAN finds with a least size of ``n // 2 + 1`` and one sample: raising h from 0, the first
    component of the graph of all pairs with a cosine distance up to h that holds more than half of the clients.

    Args:
        updates: Client updates g_i, shape ``[num_clients, num_params]``.
        parameters: The global model w, shape ``[num_params]``, to cluster the clients' models ``w + g_i``; None
            clusters their updates.
        noise: Noise in lengths of S, normal numbers times the paper's lambda, shape ``[num_params]``; None adds none.

    Returns:
        The aggregate, shape ``[num_params]``.

    Raises:
        InputError: If there are no updates.

    Reference:
        Nguyen et al., FLAME: Taming Backdoors in Federated Learning, USENIX Security 2022.

    Example:
        >>> flame(torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 0.1], [0.0, 9.0]]))
        tensor([1.9999, 0.0250])
    """
    check_some(updates)
    rows = Rows(updates)
    kept, scales, longest = flame_filter(rows, parameters=parameters)
    return with_noise(rows.mean(kept, scales), noise, longest)


def flame_filter(rows: Rows, *, parameters: Tensor | None = None) -> Flame:
    """Whom `flame` keeps, and how far it shortens each update."""
    longest = rows.gram.norms.quantile(0.5)
    cosines = rows.gram.cosines if parameters is None else _cosines_of_models(rows, parameters)
    return Flame(single_linkage_majority(1.0 - cosines), shortening(rows.gram.norms, longest), longest)


def with_noise(mean: Tensor, noise: Tensor | None, longest: Tensor) -> Tensor:
    """The mean plus noise that is in lengths of ``longest``."""
    return mean if noise is None else mean + noise * longest.to(mean)


def _cosines_of_models(rows: Rows, parameters: Tensor) -> Tensor:
    """Cosine of the angle between every two clients' models, shape ``[n, n]``; 0 where either of them is zero."""
    along = rows.products_with(parameters)
    products = rows.gram.inner_products + along[:, None] + along[None, :] + parameters.double().square().sum()
    lengths = products.diagonal().clamp(min=0.0).sqrt()
    lengths = torch.where(lengths > 0, lengths, torch.inf)
    return (products / lengths[:, None] / lengths[None, :]).clamp(-1.0, 1.0)
