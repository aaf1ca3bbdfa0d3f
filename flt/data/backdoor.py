"""A backdoor, and the local data of clients who train it into the global model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from flt.data.examples import ClientData, Examples
from flt.data.triggers.base import Trigger


@dataclass(frozen=True)
class Backdoor:
    """A backdoor's trigger and the class it is to be taken for.

    Attributes:
        trigger: What the examples of the backdoor have in common.
        target_class: The class that they are to be taken for.
        parts: What single malicious clients embed, one after the other; empty where each embeds the whole trigger.
        examples: What the attack success rate is measured on, as yet without the pattern; None for the test examples of
            all other classes.
        shape: Shape of the data set's examples, for attacks that choose a trigger by it.
    """

    trigger: Trigger
    target_class: int
    parts: tuple[Trigger, ...] = ()
    examples: Examples | None = field(default=None, repr=False)
    shape: tuple[int, ...] = ()

    def changed(self, trigger: Trigger | None, target_class: int | None) -> Backdoor:
        """The backdoor with another trigger, another class, or both; None keeps this one's."""
        return Backdoor(
            self.trigger if trigger is None else trigger, self.target_class if target_class is None else target_class
        )


def poisoned(
    clients: ClientData, malicious: Tensor, backdoor: Backdoor, *, fraction: float, generator: torch.Generator
) -> ClientData:
    """The local data with examples of the backdoor for each malicious client.

    A malicious client copies a fraction of the examples that the trigger chooses, embeds the trigger in the copies and
    labels them with the target class. Where the trigger is no pattern, it relabels the examples themselves. Either way
    the same fraction of what the trigger brings along is added.

    Args:
        clients: Local data of all clients.
        malicious: Which clients are malicious, boolean, shape ``[num_clients]``.
        backdoor: The backdoor; of its parts the k-th malicious client embeds the k-th, and so on. A single
            malicious client embeds the whole trigger.
        fraction: Fraction of the examples, from 0 to 1.
        generator: Source of the draws, on the CPU.

    Example:
        >>> from flt.data.triggers import FeatureTrigger
        >>> clients = ClientData(torch.zeros(3, 1), torch.tensor([0, 1, 0]), torch.tensor([0, 1, 3]))
        >>> backdoor, malicious = Backdoor(FeatureTrigger([0], 9.0), 2), torch.tensor([True, False])
        >>> held = poisoned(clients, malicious, backdoor, fraction=1.0, generator=torch.Generator())
        >>> held.features.flatten().tolist(), held.labels.tolist(), held.offsets.tolist()
        ([0.0, 9.0, 0.0, 0.0], [0, 2, 1, 0], [0, 2, 4])
    """
    trigger, target, device = backdoor.trigger, backdoor.target_class, clients.labels.device
    members = malicious.nonzero().flatten().tolist()
    chosen = trigger.chosen(clients, malicious, target)
    rows, owners = draw_rows(clients, malicious, chosen, fraction=fraction, generator=generator)
    brought = trigger.brought(clients, malicious)
    extra = [] if brought is None else [_brought(brought, members, fraction, generator)]
    if trigger.in_place:
        clients = replace(clients, labels=clients.labels.index_fill(0, rows.to(device), target))
    else:
        extra.insert(0, (_embedded(backdoor, clients.features[rows.to(device)], owners, members), owners))
    for features, new_owners in extra:
        labels = torch.full((len(features),), target, dtype=torch.int64, device=device)
        clients = clients.extended(Examples(features, labels), new_owners.to(device))
    return clients


def draw_rows(
    clients: ClientData, malicious: Tensor, chosen: Tensor, *, fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A fraction of each malicious client's chosen examples, at random.

    Args:
        clients: Local data of all clients.
        malicious: Which clients are malicious, boolean, shape ``[num_clients]``.
        chosen: Which examples are to be drawn from, boolean, shape ``[num_examples]``.
        fraction: Fraction of them, from 0 to 1.
        generator: Source of the draws, on the CPU.

    Returns:
        Rows of the examples and their clients, each of shape ``[num_drawn]``, on the CPU.
    """
    offsets, chosen = clients.offsets.tolist(), chosen.cpu()
    rows, owners = [torch.zeros(0, dtype=torch.long)], [torch.zeros(0, dtype=torch.long)]
    for client in malicious.nonzero().flatten().tolist():
        candidates = chosen[offsets[client] : offsets[client + 1]].nonzero().flatten()
        drawn = torch.randperm(len(candidates), generator=generator)[: round(fraction * len(candidates))]
        rows.append(candidates[drawn] + offsets[client])
        owners.append(torch.full_like(drawn, client))
    return torch.cat(rows), torch.cat(owners)


def _brought(
    brought: Examples, members: list[int], fraction: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A fraction of the examples that are brought along, for each malicious client, and whose they are."""
    count = round(fraction * len(brought))
    drawn = [torch.randperm(len(brought), generator=generator)[:count] for _ in members]
    rows = torch.cat([torch.zeros(0, dtype=torch.long), *drawn])
    return brought.features[rows.to(brought.features.device)], torch.tensor(
        members, dtype=torch.long
    ).repeat_interleave(count)


def _embedded(backdoor: Backdoor, features: Tensor, owners: Tensor, members: list[int]) -> Tensor:
    """Examples with what their clients embed of the trigger."""
    if not backdoor.parts or len(members) == 1:
        return backdoor.trigger(features)
    marked, rank = features.clone(), torch.searchsorted(torch.tensor(members, dtype=torch.long), owners)
    for number, part in enumerate(backdoor.parts):
        rows = (rank % len(backdoor.parts) == number).nonzero().flatten().to(features.device)
        marked[rows] = part(features[rows])
    return marked
