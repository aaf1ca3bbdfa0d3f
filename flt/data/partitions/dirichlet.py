"""The partition by proportions from a Dirichlet distribution."""

import numpy as np
import torch
from torch import Tensor

from flt.data.partitions.base import Partition, check_labels
from flt.errors import InputError

# For smaller concentrations the logarithms of all shares would be infinite, and the shares not numbers.
SMALLEST_ALPHA = 1e-300


class DirichletPartition(Partition):
    """Deals out each class in proportions of its own, drawn from a symmetric Dirichlet distribution.

    An example of class l goes to client i with probability p_li, where (p_l1, ..., p_ln) ~ Dirichlet(alpha). A small
    alpha gives each class to few clients, a large one makes the clients' data IID.

    Args:
        alpha: Concentration of the distribution, a finite number above 0 (1e-300 or more).

    Raises:
        InputError: If ``alpha`` is out of range.

    Reference:
        Hsu, Qi, Brown, "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
        Classification", 2019; by class as in Li et al., "Federated Learning on Non-IID Data Silos", ICDE 2022.

    Example:
        >>> labels = torch.arange(1000) % 2
        >>> draw = torch.Generator().manual_seed(0)
        >>> owners = DirichletPartition(1e6).assign(labels, num_clients=4, num_classes=2, generator=draw)
        >>> bool((owners.bincount() > 200).all())
        True
    """

    def __init__(self, alpha: float = 0.5) -> None:
        if not SMALLEST_ALPHA <= alpha < float("inf"):
            raise InputError(
                f"data.partition.alpha={alpha}: the Dirichlet distribution needs a finite number above 0, from"
                f" {SMALLEST_ALPHA:g}, such as 0.5"
            )
        self.alpha = alpha

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        check_labels(labels, num_classes)
        # NumPy draws the gamma variates, because torch draws them from its global generator only.
        draw = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        order = labels.argsort(stable=True)
        owners = torch.empty_like(labels)
        for rows in torch.tensor_split(order, labels.bincount(minlength=num_classes).cumsum(0)[:-1]):
            cumulative = torch.from_numpy(self._proportions(num_clients, draw)).cumsum(0)
            thresholds = torch.rand(len(rows), dtype=torch.float64, generator=generator) * cumulative[-1]
            owners[rows] = torch.searchsorted(cumulative, thresholds, right=True).clamp_(max=num_clients - 1)
        return owners

    def _proportions(self, num_clients: int, draw: np.random.Generator) -> np.ndarray:
        # Gamma(alpha) = Gamma(alpha + 1) * U^(1 / alpha). Logarithms, because for a small alpha shares underflow.
        logarithms = np.log(draw.standard_gamma(self.alpha + 1, num_clients))
        logarithms -= draw.standard_exponential(num_clients) / self.alpha
        return np.asarray(np.exp(logarithms - logarithms.max()))
