"""Malicious clients that are added to those among whom the training examples are dealt out."""

from dataclasses import replace
from typing import Literal

import torch

from flt.data.examples import ClientData

AddedData = Literal["none", "copies"]
"""What added clients hold."""


def with_added(clients: ClientData, num_added: int, *, size: int, generator: torch.Generator) -> ClientData:
    """The local data with further clients behind those that there are.

    Args:
        clients: Local data of those that there are.
        num_added: Number of further clients.
        size: How many examples each of them holds. They are copies of others', drawn from all of them; none goes to two
            of the added clients before each has gone to one.
        generator: Source of the draws.

    Example:
        >>> clients = ClientData(torch.arange(4.0)[:, None], torch.tensor([0, 1, 0, 1]), torch.tensor([0, 3, 4]))
        >>> [with_added(clients, 2, size=size, generator=torch.Generator()).sizes.tolist() for size in (0, 2)]
        [[3, 1, 0, 0], [3, 1, 2, 2]]
    """
    ends = clients.offsets[-1] + size * torch.arange(1, num_added + 1)
    widened = replace(clients, offsets=torch.cat([clients.offsets, ends]))
    if not size:
        return widened
    num_examples = len(clients.labels)
    order = torch.randperm(num_examples, generator=generator)
    rows = torch.cat([torch.arange(num_examples), order[torch.arange(num_added * size) % num_examples]])
    return replace(
        widened,
        features=clients.features[rows],
        labels=clients.labels[rows],
        indices=None if clients.indices is None else clients.indices[rows],
    )
