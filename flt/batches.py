"""The batches of one round, drawn for all clients at once."""

from typing import NamedTuple

import torch
from torch import Tensor


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


def draw_batches(
    features: Tensor,
    labels: Tensor,
    starts: Tensor,
    sizes: Tensor,
    *,
    local_steps: int,
    batch_size: int,
    generator: torch.Generator,
    width: int | None = None,
) -> LocalBatches:
    """Draws a batch without replacement for every client and local step; steps are independent of each other.

    A client with fewer than ``batch_size`` examples trains on all of them; the rest of its batch is padding, all zeros.

    Args:
        features: Examples of all clients, shape ``[num_examples, *shape]``.
        labels: Their labels, shape ``[num_examples]``.
        starts: First row of each client taking part, shape ``[num_clients]``.
        sizes: Number of examples of each of them, shape ``[num_clients]``; may be 0.
        local_steps: Batches per client.
        batch_size: Examples per batch.
        generator: Source of the draws, on the CPU, so that every device trains on the same batches.
        width: Random numbers spent on each client and step, at least the largest of ``sizes``, which None stands for.
            Calls on one part of the clients after the other, with one width and generator, draw what a single call
            draws for all of them.
    """
    keys = torch.rand(len(sizes), local_steps, max(width or int(sizes.max()), 1), generator=generator)
    # The rows with the smallest keys are a uniform draw without replacement; rows the client lacks sort last.
    keys.masked_fill_(torch.arange(keys.shape[2]) >= sizes[:, None, None], 2.0)
    drawn = keys.topk(min(batch_size, keys.shape[2]), dim=2, largest=False)
    present = drawn.values < 2.0
    rows = torch.where(present, drawn.indices + starts[:, None, None], 0)
    chosen = rows.flatten().to(features.device)
    drawn_features = features.index_select(0, chosen).view(*rows.shape, *features.shape[1:])
    if not present.all():
        # Whatever row stands there is another client's; weight 0 would not keep its infinities out.
        drawn_features[~present.to(features.device)] = 0
    return LocalBatches(
        drawn_features,
        labels.index_select(0, chosen).view(rows.shape),
        present.to(features.device, features.dtype),
        sizes.clamp(max=batch_size),
    )


def whole(features: Tensor, labels: Tensor, *, local_steps: int) -> LocalBatches:
    """Every local step on all examples, for one client: leading dimension 1."""
    return LocalBatches(
        features.expand(1, local_steps, *features.shape),
        labels.expand(1, local_steps, *labels.shape),
        torch.ones((), device=features.device, dtype=features.dtype).expand(1, local_steps, *labels.shape),
        torch.tensor([len(labels)]),
    )
