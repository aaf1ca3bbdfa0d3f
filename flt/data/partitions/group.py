"""The paper's partition, by groups of clients that prefer a class."""

import torch
from torch import Tensor

from flt.data.partitions.base import Partition, check_labels
from flt.errors import InputError


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
                f"data.partition.noniid_degree={noniid_degree}: give a probability from 0 to 1; 1 / (number of"
                " classes) is IID"
            )
        self.noniid_degree = noniid_degree

    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example, as `Partition.assign` describes."""
        if num_clients < num_classes:
            raise InputError(
                f"data.num_clients={num_clients} is too few for the group partition, which needs a client for each of"
                f" the {num_classes} classes: set data.num_clients to {num_classes} or more, or choose another"
                " partition"
            )
        check_labels(labels, num_classes)
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
