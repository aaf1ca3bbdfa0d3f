"""A federation of some of the clients among whom the examples are dealt out."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from flt.data.examples import ClientData
from flt.errors import InputError


def check_only_clients(only_clients: Sequence[int] | None) -> None:
    """Raises an `InputError` unless ``data.only_clients`` names clients, each once."""
    if only_clients is None:
        return
    if not only_clients or len({*only_clients}) < len(only_clients) or min(only_clients) < 0:
        raise InputError(f"data.only_clients={only_clients}: name one client or more, from 0, each once; null is all")


def kept_clients(clients: ClientData, only: Sequence[int]) -> ClientData:
    """The local data of some clients alone, which are numbered anew, in the order in which they are named.

    Args:
        clients: Local data of all.
        only: The numbers of those that stay.

    Raises:
        InputError: If there is no such client.

    Example:
        >>> clients = ClientData(torch.zeros(4, 1), torch.tensor([0, 1, 2, 3]), torch.tensor([0, 2, 3, 4]))
        >>> left = kept_clients(clients, [2, 0])
        >>> left.labels.tolist(), left.offsets.tolist()
        ([3, 0, 1], [0, 1, 3])
    """
    if max(only) >= clients.num_clients:
        raise InputError(
            f"data.only_clients has client {max(only)}, but there are {clients.num_clients}, counted from 0: leave it"
            " out"
        )
    starts, sizes = clients.offsets.tolist(), clients.sizes[list(only)]
    rows = torch.cat([torch.arange(starts[client], starts[client + 1]) for client in only])
    return replace(
        clients,
        features=clients.features[rows],
        labels=clients.labels[rows],
        offsets=torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
        indices=None if clients.indices is None else clients.indices[rows],
    )
