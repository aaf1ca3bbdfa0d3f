"""Who the nodes of a federation are: a place for each, kept as long as the run, and the size of its data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from flt.data.backdoor import Backdoor
from flt.data.examples import ClientData
from flt.data.triggers.base import Trigger
from flt.errors import InputError
from flt.federation import Federation
from flt.functional.layout import Piece

LARGEST_SIZE = 2**31
"""Examples that a client may say it has."""


@dataclass
class Members:
    """The nodes that have taken part, each with a place among the clients that it keeps.

    A node says once, in its first reply that can be used, how many examples it has and, where it is asked for that,
    which client it is. What it says later is not heard.

    Args:
        sizes: Examples of each client as the server knows them, by place or one number for all; None believes the first
            reply.
        size_key: Name of the metric that says how many examples a node has.
        place_key: Name of the metric that says which client a node is, counted from 0; None deals out places in the
            order of first replies.
        num_clients: How many places may be claimed.
    """

    sizes: int | Mapping[int, int] | None
    size_key: str
    place_key: str | None
    num_clients: int = 1
    places: dict[int, int] = field(default_factory=dict)
    learnt: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.sizes.values() if isinstance(self.sizes, Mapping) else [1 if self.sizes is None else self.sizes]
        for size in given:
            if not 0 < size <= LARGEST_SIZE:
                raise InputError(f"num_examples={size}: a client has 1 to {LARGEST_SIZE} examples")

    @property
    def count(self) -> int:
        """How many clients there have been: one more than the highest place."""
        return max(self.places.values(), default=-1) + 1

    def meet(self, node: int, metrics: Mapping[str, float], connected: Collection[int]) -> str:
        """Gives a node its place and its size, if it has none yet.

        A place that another connected node has is not given away; one whose node has gone is, to a node that was
        started anew and says the same.

        Args:
            node: The node.
            metrics: What it says.
            connected: The nodes that are connected, as the server sees it.

        Returns:
            Why it gets no place; empty where it has one.
        """
        if node in self.places:
            return ""
        place, held = self._next(), {place: other for other, place in self.places.items()}
        if self.place_key is not None:
            claimed = metrics.get(self.place_key, -1.0)
            if not 0 <= claimed < self.num_clients:
                return f"claims no place among the {self.num_clients} clients"
            place = int(claimed)
            if held.get(place) in connected:
                return f"claims the place of client {place}, whose node {held[place]} is connected"
        if place in held:
            del self.places[held[place]]
        self.places[node] = place
        size = metrics.get(self.size_key, 1.0)
        self.learnt.setdefault(place, int(size) if 1 <= size <= LARGEST_SIZE else 1)
        return ""

    def _next(self) -> int:
        """The lowest place that nobody has or had."""
        taken = {*self.places.values(), *self.learnt}
        return next(place for place in range(len(taken) + 1) if place not in taken)

    def size(self, place: int) -> int:
        """Examples of a client."""
        if isinstance(self.sizes, Mapping):
            return self.sizes.get(place, 1)
        return self.learnt.get(place, 1) if self.sizes is None else self.sizes

    def sizes_of(self, places: Tensor) -> Tensor:
        """Examples of some clients."""
        return torch.tensor([self.size(int(place)) for place in places], dtype=torch.long)


def federation_of(
    num_clients: int,
    num_examples: Tensor,
    *,
    malicious: Collection[int] = (),
    num_byzantine: int = 0,
    clients_per_round: int | None = None,
    seed: int = 0,
    root_size: int | None = None,
    layout: tuple[Piece, ...] = (),
    server_lr: float = 1.0,
) -> Federation:
    """A federation whose data are elsewhere.

    Args:
        num_clients: How many there are.
        num_examples: Sizes of their data as the server knows them, shape ``[num_clients]``.
        malicious: Who is known to attack, in a test; for reports alone.
        num_byzantine: Malicious clients that rules assume (f).
        clients_per_round: Clients that take part in a round; None for all.
        seed: Of the draws that rules make.
        root_size: Examples of the server's root dataset, where it is known.
        layout: Where each parameter lies in an update.
        server_lr: Factor of the aggregate in the model's step.
    """
    nothing = ClientData(torch.zeros(0, 1), torch.zeros(0, dtype=torch.long), torch.zeros(num_clients + 1).long())
    is_malicious = torch.zeros(num_clients, dtype=torch.bool)
    is_malicious[[place for place in malicious if place < num_clients]] = True
    return Federation(
        clients=nothing,
        num_examples=num_examples,
        malicious=is_malicious,
        num_byzantine=num_byzantine,
        clients_per_round=clients_per_round or num_clients,
        num_classes=1,
        seed=seed,
        backdoor=Backdoor(cast(Trigger, None), 0),  # of which no rule asks anything
        root_size=root_size,
        layout=layout,
        server_lr=server_lr,
    )
