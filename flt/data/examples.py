"""Labelled examples, and those of all clients sorted by client: immutable values on any device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from flt.errors import InputError


@dataclass(frozen=True, eq=False)
class Examples:
    """Examples and their labels.

    Args:
        features: What the network is given, of shape ``[num_examples, *shape]``: float32, or int64 where examples are
            token ids.
        labels: Classes counted from 0, int64 of shape ``[num_examples]``.

    Example:
        >>> examples = Examples(torch.zeros(3, 2), torch.tensor([0, 1, 0]))
        >>> len(examples), len(examples[:2]), examples[torch.tensor([1])].labels.tolist()
        (3, 2, [1])
    """

    features: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.shape != self.features.shape[:1]:
            raise InputError(
                f"labels of shape {list(self.labels.shape)} do not match features of shape"
                f" {list(self.features.shape)}: give one label for each example"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.features.shape[1:])

    @property
    def are_integers(self) -> bool:
        """Whether the features are integers, such as token ids, which are looked up and not computed with."""
        return not self.features.is_floating_point()

    def describe(self) -> str:
        """What kind of examples these are, for messages, such as ``"examples of shape [561]"``."""
        return f"{'integers' if self.are_integers else 'examples'} of shape {list(self.shape)}"

    def __getitem__(self, index: Tensor | slice) -> Examples:
        return Examples(self.features[index], self.labels[index])

    def to(self, device: torch.device | str) -> Examples:
        """The examples on ``device``; nothing is copied if they are there already."""
        return Examples(self.features.to(device), self.labels.to(device))


def extremes(features: Tensor) -> Tensor:
    """The example with the smallest feature of all and the one with the largest, shape ``[2, *shape]``.

    Args:
        features: One or more examples, of shape ``[num_examples, *shape]``.

    Example:
        >>> extremes(torch.tensor([[3, 4], [1, 9], [0, 5]])).tolist()
        [[0, 5], [1, 9]]
    """
    by_example = features.flatten(1)
    return features[torch.stack([by_example.amin(1).argmin(), by_example.amax(1).argmax()])]


@dataclass(frozen=True, eq=False)
class ClientData:
    """The examples of all clients in one block, sorted by client.

    Client ``i`` owns the rows ``offsets[i]:offsets[i + 1]``. A client may own none.

    Args:
        features: Float32, or int64 for token ids, of shape ``[num_examples, *shape]``.
        labels: Int64 of shape ``[num_examples]``.
        offsets: Int64 of shape ``[num_clients + 1]``, ascending from 0 to ``num_examples``.
        indices: Where each of them stands among the data set's training examples, -1 for one that was added, int64 of
            shape ``[num_examples]``; None where nobody knows.

    Example:
        >>> examples = Examples(torch.arange(3.0)[:, None], torch.tensor([0, 1, 2]))
        >>> clients = ClientData.from_owners(examples, torch.tensor([1, 0, 1]), 2)
        >>> clients.sizes.tolist(), clients.of(1).labels.tolist()
        ([1, 2], [0, 2])
    """

    features: Tensor
    labels: Tensor
    offsets: Tensor
    indices: Tensor | None = None

    @classmethod
    def from_owners(
        cls, examples: Examples, owners: Tensor, num_clients: int, *, without: Tensor | None = None
    ) -> ClientData:
        """Sorts examples by owner and keeps the order of each client's own examples.

        Args:
            examples: The examples of all clients.
            owners: The client of each example, int64 in ``[0, num_clients)``, shape ``[num_examples]``.
            num_clients: Number of clients, those without an example included.
            without: Indices of examples to leave out, int64; None to leave out none.

        Raises:
            InputError: If ``owners`` does not name one client for each example.
        """
        if owners.shape != examples.labels.shape:
            raise InputError(
                f"owners has shape {list(owners.shape)} for {len(examples)} examples: give one client for each example"
            )
        if len(owners) and not 0 <= int(owners.min()) <= int(owners.max()) < num_clients:
            raise InputError(
                f"owners range from {int(owners.min())} to {int(owners.max())} with num_clients={num_clients}:"
                f" they must lie between 0 and {num_clients - 1}"
            )
        order = owners.argsort(stable=True)
        if without is not None:
            kept = torch.ones_like(owners, dtype=torch.bool).index_fill_(0, without, False)
            order, owners = order[kept[order]], owners[kept]
        sizes = owners.bincount(minlength=num_clients)
        offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        return cls(examples.features[order], examples.labels[order], offsets, order)

    @property
    def num_clients(self) -> int:
        """Number of clients."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> Tensor:
        """Number of examples of each client, int64 of shape ``[num_clients]``."""
        return self.offsets.diff()

    def of(self, client: int) -> Examples:
        """The examples of one client, as views."""
        rows = slice(int(self.offsets[client]), int(self.offsets[client + 1]))
        return Examples(self.features[rows], self.labels[rows])

    def to(self, device: torch.device | str) -> ClientData:
        """The data on ``device``; nothing is copied if it is there already."""
        indices = None if self.indices is None else self.indices.to(device)
        return ClientData(self.features.to(device), self.labels.to(device), self.offsets.to(device), indices)

    def extended(self, extra: Examples, owners: Tensor) -> ClientData:
        """A copy in which clients own further examples, which follow each client's present ones.

        Args:
            extra: The examples to add, of the same shape and on the same device.
            owners: The client that gets each of them, int64 of shape ``[num_extra]``.

        Raises:
            InputError: If ``owners`` does not name one client for each extra example.
        """
        clients = torch.arange(self.num_clients, device=self.offsets.device)
        everything = Examples(torch.cat([self.features, extra.features]), torch.cat([self.labels, extra.labels]))
        owners = torch.cat([clients.repeat_interleave(self.sizes), owners])
        extended = self.from_owners(everything, owners, len(clients))
        if self.indices is None or extended.indices is None:
            return replace(extended, indices=None)
        added = self.indices.new_full((len(extra),), -1)
        return replace(extended, indices=torch.cat([self.indices, added])[extended.indices])


@dataclass(frozen=True, eq=False)
class RawData:
    """A data set before the root dataset is taken out of it.

    Args:
        train: Training examples of all clients.
        owners: The client of each training example where the data set has natural clients, int64 of shape
            ``[num_examples]``; None if the data module's ``partition`` is to assign them.
        test: Test examples.
        stand_in: Whether the data are synthetic.
        num_clients: Number of natural clients; None for as many as ``owners`` names.
        test_owners: The natural client of each test example, int64 of shape ``[num_test]``; None if nobody knows.
    """

    train: Examples
    owners: Tensor | None
    test: Examples
    stand_in: bool
    num_clients: int | None = None
    test_owners: Tensor | None = None

    def check(self, name: str) -> None:
        """Raises an `InputError` for examples that no network can take, or a part without any.

        Args:
            name: The data set's name.
        """
        for part, examples in (("training", self.train), ("test", self.test)):
            if not len(examples):
                raise InputError(f"{name} has no {part} examples: give it some")
            if examples.features.dtype not in (torch.float32, torch.int64):
                raise InputError(
                    f"{name} has {part} examples of {examples.features.dtype}: give torch.float32, or torch.int64 for"
                    " token ids"
                )
