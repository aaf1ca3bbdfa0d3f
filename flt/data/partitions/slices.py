"""Partitions into parts of equal size, of shuffled examples or of examples sorted by label."""

import torch
from torch import Tensor

from flt.data.partitions.base import Partition
from flt.errors import InputError


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
            raise InputError(f"data.partition.shards_per_client={shards_per_client}: a client holds 1 shard or more")
        self.shards_per_client = shards_per_client

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        num_shards = num_clients * self.shards_per_client
        if num_shards > len(labels):
            raise InputError(
                f"data.partition.shards_per_client={self.shards_per_client} with data.num_clients={num_clients} makes"
                f" {num_shards} shards of {len(labels)} training examples: choose fewer, so that each shard has"
                " an example"
            )
        shards = torch.arange(len(labels)) * num_shards // len(labels)
        holders = torch.randperm(num_shards, generator=generator) % num_clients
        owners = torch.empty_like(labels)
        owners[labels.argsort(stable=True)] = holders[shards]
        return owners


class SortedPartition(Partition):
    """Sorts examples by label and cuts them into consecutive slices of equal size, one for each client in turn.

    The first clients have the first classes; sizes differ by one at most. Examples of one label stay in the order of
    the data set, so nothing is drawn.

    Reference:
        The non-IID data of Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via
        Bucketing, ICLR 2022; ``extreme_niid`` of Gonzalez et al., ByzFL, 2025.

    Reading:
        The bucketing paper's code makes all slices as long as the first by examples of the first classes that it has
        twice; here each example has one client.

    Example:
        >>> labels = torch.tensor([1, 0, 2, 0, 1])
        >>> draw = torch.Generator().manual_seed(0)
        >>> SortedPartition().assign(labels, num_clients=2, num_classes=3, generator=draw).tolist()
        [0, 0, 1, 0, 1]
    """

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        owners = torch.empty_like(labels)
        owners[labels.argsort(stable=True)] = _slices(len(labels), num_clients)
        return owners


class GammaSimilarityPartition(Partition):
    """Deals out a share gamma of the examples at random, and the rest sorted by label, in slices of equal size.

    Of N examples ``floor(gamma * N)``, drawn at random, are cut into equal slices as they come, the others as
    `SortedPartition` does; each client has a slice of both. gamma = 1 makes the clients' data IID, gamma = 0 is
    `SortedPartition`.

    Args:
        gamma: The share of the examples that are dealt out at random, from 0 to 1.

    Raises:
        InputError: If ``gamma`` is out of range.

    Reference:
        Karimireddy et al., SCAFFOLD, ICML 2020 (s % similarity); ``gamma_similarity_niid`` of Gonzalez et al., ByzFL,
        2025.

    Example:
        >>> labels = torch.arange(8) // 4
        >>> draw = torch.Generator().manual_seed(0)
        >>> GammaSimilarityPartition(0.5).assign(labels, num_clients=2, num_classes=2, generator=draw).bincount()
        tensor([4, 4])
    """

    def __init__(self, gamma: float = 0.5) -> None:
        if not 0 <= gamma <= 1:
            raise InputError(f"data.partition.gamma={gamma}: give a share from 0 to 1; 1 is IID, 0 is SortedPartition")
        self.gamma = gamma

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        order = torch.randperm(len(labels), generator=generator)
        similar, others = order.tensor_split([int(self.gamma * len(labels))])
        others = others.sort().values
        owners = torch.empty_like(labels)
        owners[similar] = _slices(len(similar), num_clients)
        owners[others[labels[others].argsort(stable=True)]] = _slices(len(others), num_clients)
        return owners


def _slices(num_examples: int, num_slices: int) -> Tensor:
    """The slice of each of so many examples in order; the first slices have one more where it does not come out even.

    Example:
        >>> _slices(5, 2).tolist()
        [0, 0, 0, 1, 1]
    """
    sizes = num_examples // num_slices + (torch.arange(num_slices) < num_examples % num_slices).long()
    return torch.arange(num_slices).repeat_interleave(sizes)
