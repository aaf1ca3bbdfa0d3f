"""Partitions: which client owns which training example, for data sets without natural clients."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from flt.errors import InputError

# For smaller concentrations the logarithms of all shares would be infinite, and the shares not numbers.
SMALLEST_ALPHA = 1e-300


class Partition(ABC):
    """Deals out examples to clients."""

    @abstractmethod
    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example. Every example has exactly one client; a client may have no examples.

        Args:
            labels: Classes counted from 0, int64 of shape ``[num_examples]``.
            num_clients: Number of clients, at least 1.
            num_classes: Number of classes M.
            generator: Source of all draws, on the CPU.

        Returns:
            Int64 in ``[0, num_clients)``, of shape ``[num_examples]``.

        Raises:
            InputError: If the examples cannot be dealt out to so many clients in this way.
        """

    def describe(self) -> str:
        """The partition's name and settings in words."""
        settings = [f"{name} {value}" for name, value in vars(self).items() if not name.startswith("_")]
        return ", ".join([type(self).__name__, *settings])


class GroupPartition(Partition):
    """The paper's partition: as many groups of clients as classes, and each group prefers its own class.

    Clients are split at random into M groups of equal size (the remainder goes to the first groups, one client each).
    An example of label l goes to group l with probability q, to each other group with probability (1 - q) / (M - 1),
    and there to one of the group's clients uniformly. q = 1 / M makes the clients' data IID.

    Args:
        noniid_degree: The probability q, from 0 to 1.

    Raises:
        InputError: If ``noniid_degree`` is out of range; when used, if there are fewer clients than classes.

    Reference:
        Cao et al., "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping", NDSS 2021, section VI-A.

    Example:
        >>> labels = torch.tensor([0, 1, 0, 1])
        >>> draw = torch.Generator().manual_seed(0)
        >>> owners = GroupPartition(1.0).assign(labels, num_clients=2, num_classes=2, generator=draw)
        >>> bool(owners[0] == owners[2] != owners[1] == owners[3])
        True
    """

    def __init__(self, noniid_degree: float = 0.5) -> None:
        if not 0 <= noniid_degree <= 1:
            raise InputError(
                f"noniid_degree={noniid_degree}: give a probability from 0 to 1; 1 / (number of classes) is IID"
            )
        self.noniid_degree = noniid_degree

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        if num_clients < num_classes:
            raise InputError(
                f"num_clients={num_clients} is too few for the group partition, which needs a client for each of the"
                f" {num_classes} classes: set num_clients to {num_classes} or more, or choose another partition"
            )
        _check_labels(labels, num_classes)
        groups = self._groups(labels, num_classes, generator)
        smaller, remainder = divmod(num_clients, num_classes)
        sizes = smaller + (torch.arange(num_classes) < remainder).long()
        starts = sizes.cumsum(0) - sizes
        clients = torch.randperm(num_clients, generator=generator)
        places = torch.rand(len(labels), dtype=torch.float64, generator=generator) * sizes[groups]
        return clients[starts[groups] + places.long()]

    def _groups(self, labels: Tensor, num_classes: int, generator: torch.Generator) -> Tensor:
        if num_classes == 1:
            return torch.zeros_like(labels)
        stays = torch.rand(labels.shape, dtype=torch.float64, generator=generator) < self.noniid_degree
        others = torch.randint(num_classes - 1, labels.shape, generator=generator)
        others += others >= labels
        return torch.where(stays, labels, others)


class IIDPartition(Partition):
    """Deals out shuffled examples in turn: clients' numbers of examples differ by one at most.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> owners = IIDPartition().assign(torch.zeros(7).long(), num_clients=3, num_classes=1, generator=draw)
        >>> owners.bincount().tolist()
        [3, 2, 2]
    """

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        return torch.randperm(len(labels), generator=generator) % num_clients


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
                f"alpha={alpha}: the Dirichlet distribution needs a finite number above 0, from {SMALLEST_ALPHA:g},"
                " such as 0.5"
            )
        self.alpha = alpha

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        _check_labels(labels, num_classes)
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


class ShardPartition(Partition):
    """Sorts examples by label, cuts them into equal shards and deals each client as many shards at random.

    Args:
        shards_per_client: Number of shards s of each client; with n clients there are n * s of them.

    Raises:
        InputError: If ``shards_per_client`` is below 1; when used, if there are fewer examples than shards.

    Reference:
        McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data", AISTATS 2017.

    Example:
        >>> labels = torch.tensor([1, 0, 1, 0, 1, 0, 1, 0])
        >>> draw = torch.Generator().manual_seed(0)
        >>> owners = ShardPartition(1).assign(labels, num_clients=2, num_classes=2, generator=draw)
        >>> owners.unique_consecutive().tolist() in ([0, 1] * 4, [1, 0] * 4)
        True
    """

    def __init__(self, shards_per_client: int = 2) -> None:
        if shards_per_client < 1:
            raise InputError(f"shards_per_client={shards_per_client}: a client holds 1 shard or more")
        self.shards_per_client = shards_per_client

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        num_shards = num_clients * self.shards_per_client
        if num_shards > len(labels):
            raise InputError(
                f"shards_per_client={self.shards_per_client} with num_clients={num_clients} makes {num_shards} shards"
                f" of {len(labels)} training examples: choose fewer, so that each shard has an example"
            )
        shards = torch.arange(len(labels)) * num_shards // len(labels)
        holders = torch.randperm(num_shards, generator=generator) % num_clients
        owners = torch.empty_like(labels)
        owners[labels.argsort(stable=True)] = holders[shards]
        return owners


def _check_labels(labels: Tensor, num_classes: int) -> None:
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise InputError(
            f"labels range from {int(labels.min())} to {int(labels.max())} with num_classes={num_classes}:"
            f" they must lie between 0 and {num_classes - 1}"
        )
