"""The batches of one round, drawn for all clients at once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class LocalBatches(NamedTuple):
    """Batches of several clients and local steps, padded to one size; a client with fewer steps has them first.

    Attributes:
        features: Shape ``[num_clients, local_steps, batch_size, *shape]``.
        labels: Shape ``[num_clients, local_steps, batch_size]``.
        weights: 1 for an example, 0 for padding, same shape as ``labels``; None where nothing is padded.
        sizes: Examples in each batch, before the padding, shape ``[num_clients, local_steps]``, on the CPU; 0 for steps
            that a client does not take.
        seeds: What the random layers of the network draw from with each batch, shape ``[num_clients, local_steps]``, on
            the CPU; None for a network without any.
    """

    features: Tensor
    labels: Tensor
    weights: Tensor | None
    sizes: Tensor
    seeds: Tensor | None = None

    @property
    def steps(self) -> Tensor | None:
        """How many of the batches each client trains on, shape ``[num_clients]``; None if all, or none at all."""
        taken = (self.sizes > 0).sum(dim=1)
        return taken if ((taken > 0) & (taken < self.sizes.shape[1])).any() else None

    @property
    def weights_or_ones(self) -> Tensor:
        """The weights, and 1 everywhere where nothing is padded."""
        return torch.ones_like(self.labels, dtype=torch.float32) if self.weights is None else self.weights

    def of(self, clients: slice | Tensor) -> "LocalBatches":
        """Returns the batches of some of the clients."""
        return self._at(clients)

    def step(self, step: int) -> "LocalBatches":
        """Returns the batches of one step, counted from 0."""
        return self._at((slice(None), slice(step, step + 1)))

    def first(self, steps: int) -> "LocalBatches":
        """Returns the batches of so many steps, or of all where there are not as many."""
        return self._at((slice(None), slice(steps)))

    def _at(self, index: slice | Tensor | tuple[slice, slice]) -> "LocalBatches":
        return LocalBatches(*(None if each is None else each[index] for each in self))  # type: ignore[arg-type]


def take_batches(features: Tensor, labels: Tensor, rows: Tensor) -> LocalBatches:
    """Makes batches of the rows that `RowDraws` has drawn; padding is all zeros.

    Args:
        features: Examples of all clients, shape ``[num_examples, *shape]``.
        labels: Their labels, shape ``[num_examples]``.
        rows: Rows of ``features``, -1 for padding, shape ``[num_clients, local_steps, batch_size]``, on the CPU.
    """
    is_padded = bool((rows < 0).any())
    chosen = _onto(features.device, (rows.clamp(min=0) if is_padded else rows).flatten())
    taken = features.index_select(0, chosen).view(*rows.shape, *features.shape[1:])
    taken_labels = labels.index_select(0, chosen).view(rows.shape)
    if not is_padded:
        return LocalBatches(taken, taken_labels, None, torch.full(rows.shape[:2], rows.shape[2]))
    is_there = rows >= 0
    present = _onto(features.device, is_there)
    # The row taken in place of padding is another client's; a weight of 0 would not keep its infinities out.
    taken[~present] = 0
    return LocalBatches(taken, taken_labels, present.float(), is_there.sum(dim=2))


def take_batches_of(blocks: Sequence[tuple[Tensor, Tensor]], source: Tensor, rows: Tensor) -> LocalBatches:
    """Makes batches as `take_batches` does, where each client's rows are of one of several blocks of examples.

    Args:
        blocks: Features and labels of each block.
        source: Which block a client's rows are of, shape ``[num_clients]``, on the CPU.
        rows: Rows of that block, -1 for padding, shape ``[num_clients, local_steps, batch_size]``, on the CPU.

    Example:
        >>> blocks = [(torch.zeros(2, 1), torch.tensor([0, 1])), (torch.ones(2, 1), torch.tensor([2, 3]))]
        >>> take_batches_of(blocks, torch.tensor([1, 0]), torch.tensor([[[0, 1]], [[1, -1]]])).labels.tolist()
        [[[2, 3]], [[1, 0]]]
    """
    parts = [take_batches(*block, rows[source == number]) for number, block in enumerate(blocks)]
    by_block = LocalBatches(
        torch.cat([part.features for part in parts]),
        torch.cat([part.labels for part in parts]),
        None if all(part.weights is None for part in parts) else torch.cat([part.weights_or_ones for part in parts]),
        torch.cat([part.sizes for part in parts]),
    )
    return by_block.of(source.argsort(stable=True).argsort())


def whole(features: Tensor, labels: Tensor, *, local_steps: int) -> LocalBatches:
    """Makes batches of one client that trains on all examples in every local step: the leading dimension is 1."""
    return LocalBatches(
        features.expand(1, local_steps, *features.shape),
        labels.expand(1, local_steps, *labels.shape),
        None,
        torch.full((1, local_steps), len(labels)),
    )


def _onto(device: torch.device, drawn: Tensor) -> Tensor:
    """Copies ``drawn`` from the CPU to the device; from pinned memory a GPU copies without stopping its work."""
    return drawn.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else drawn.to(device)
