"""The batches of one round, drawn for all clients at once."""

from typing import NamedTuple

import torch
from torch import Tensor

# Random numbers held at once while rows are drawn.
BLOCK = 2**24


class LocalBatches(NamedTuple):
    """Batches of several clients and local steps, padded to one size.

    Attributes:
        features: Shape ``[num_clients, local_steps, batch_size, *shape]``.
        labels: Shape ``[num_clients, local_steps, batch_size]``.
        weights: 1 for an example, 0 for padding, same shape as ``labels``.
        sizes: Examples in each of a client's batches, before the padding, shape ``[num_clients]``, on the CPU.
    """

    features: Tensor
    labels: Tensor
    weights: Tensor
    sizes: Tensor


def draw_rows(
    starts: Tensor, sizes: Tensor, *, local_steps: int, batch_size: int, generator: torch.Generator
) -> Tensor:
    """Draws a batch without replacement for every client and local step; steps are independent of each other.

    A client with fewer than ``batch_size`` examples trains on all of them; the rest of its batch is padding.

    Args:
        starts: First row of each client taking part, shape ``[num_clients]``, on the CPU.
        sizes: Number of examples of each of them, shape ``[num_clients]``; may be 0.
        local_steps: Batches per client.
        batch_size: Examples per batch.
        generator: Source of the draws, on the CPU, so that every device trains on the same batches.

    Returns:
        Rows of the clients' examples, -1 for padding, int64 of shape ``[num_clients, local_steps, batch_size]``, or
        narrower if no client fills a batch.
    """
    width = max(int(sizes.max()), 1)
    drawn = []
    for some_starts, some_sizes in zip(
        *(torch.split(part, max(1, BLOCK // width)) for part in (starts, sizes)), strict=True
    ):
        keys = torch.rand(len(some_sizes), local_steps, width, generator=generator)
        # The rows with the smallest keys are a uniform draw without replacement; rows the client lacks sort last.
        keys.masked_fill_(torch.arange(width) >= some_sizes[:, None, None], 2.0)
        smallest = keys.topk(min(batch_size, width), dim=2, largest=False)
        drawn.append(torch.where(smallest.values < 2.0, smallest.indices + some_starts[:, None, None], -1))
    return drawn[0] if len(drawn) == 1 else torch.cat(drawn)


def take_batches(features: Tensor, labels: Tensor, rows: Tensor) -> LocalBatches:
    """The batches of which `draw_rows` has drawn the rows; padding is all zeros.

    Args:
        features: Examples of all clients, shape ``[num_examples, *shape]``.
        labels: Their labels, shape ``[num_examples]``.
        rows: As `draw_rows` returns them, on the CPU.
    """
    present = rows >= 0
    chosen = rows.clamp(min=0).flatten().to(features.device)
    taken = features.index_select(0, chosen).view(*rows.shape, *features.shape[1:])
    if not present.all():
        # Whatever row stands there is another client's; weight 0 would not keep its infinities out.
        taken[~present.to(features.device)] = 0
    return LocalBatches(
        taken,
        labels.index_select(0, chosen).view(rows.shape),
        present.to(features.device, features.dtype),
        present[:, 0].sum(dim=1),
    )


def whole(features: Tensor, labels: Tensor, *, local_steps: int) -> LocalBatches:
    """Every local step on all examples, for one client: leading dimension 1."""
    return LocalBatches(
        features.expand(1, local_steps, *features.shape),
        labels.expand(1, local_steps, *labels.shape),
        torch.ones((), device=features.device, dtype=features.dtype).expand(1, local_steps, *labels.shape),
        torch.tensor([len(labels)]),
    )
