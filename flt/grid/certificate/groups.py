"""Which clients train which model of a vote."""

import math
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from flt.errors import InputError
from flt.grid.plan.grid import Grid
from flt.random import generator


@dataclass(frozen=True)
class Groups:
    """Groups of clients, each of which trains a model of its own.

    Attributes:
        num_clients: Clients of the whole federation.
        members: The clients of each group, ascending; no two groups are equal.
        draws: How often each was drawn, which is how many votes its model has.
        clients_per_model: Clients of each group where groups share clients; None where they share none.
        alpha: Probability that a certificate is wrong; None where groups are all that there are, or share none.
    """

    num_clients: int
    members: tuple[tuple[int, ...], ...]
    draws: tuple[int, ...]
    clients_per_model: int | None = None
    alpha: float | None = None

    @property
    def labels(self) -> list[str]:
        """What the groups are called."""
        width = len(str(len(self.members) - 1))
        return [f"group {number:0{width}d}" for number in range(len(self.members))]

    def describe(self) -> str:
        """What they are, in words."""
        if self.clients_per_model is None:
            return f"{len(self.members)} groups of {self.num_clients} clients, no client in two"
        size, drawn = self.clients_per_model, f"{sum(self.draws):,} drawn, {len(self.members):,} different"
        which = "all of them" if self.alpha is None else f"{drawn}, alpha = {self.alpha:g}"
        return f"groups of {size} of {self.num_clients} clients, {which}"

    def grid(self, title: str, base: Path, seed: int) -> Grid:
        """The runs that train their models, as a grid with an axis of groups."""
        levels = {
            label: {"data.only_clients": list(group)} for label, group in zip(self.labels, self.members, strict=True)
        }
        axes: dict[str, Any] = {"group": levels}
        return Grid(title=f"{title}: {self.describe()}", base=base, axes=axes, seeds=[seed])


def disjoint_groups(num_clients: int, num_groups: int, *, seed: int) -> Groups:
    """Deals all clients out at random, to groups whose sizes differ by one at most.

    Args:
        num_clients: Number of clients.
        num_groups: Number of groups.
        seed: Decides who is in which.

    Raises:
        InputError: If there are more groups than clients, or less than one.

    Reading:
        FLCert deals clients out by a hash of their ids, which an attacker must not choose. The random order here does
        not depend on what clients send either, and makes groups of one size.
    """
    if not 1 <= num_groups <= num_clients:
        raise InputError(f"groups={num_groups} of {num_clients} clients: give 1 or more, and no more than clients")
    order = torch.randperm(num_clients, generator=generator(seed, "groups")).tolist()
    members = tuple(tuple(sorted(order[first::num_groups])) for first in range(num_groups))
    return Groups(num_clients, members, (1,) * num_groups)


def drawn_groups(num_clients: int, clients_per_model: int, *, num_models: int, alpha: float, seed: int) -> Groups:
    """Draws groups of k of all clients, with replacement; takes all that there are where those are no more than asked.

    Args:
        num_clients: Number of clients (n).
        clients_per_model: Clients of a group (k).
        num_models: Number of draws.
        alpha: Probability that a certificate from these draws is wrong.
        seed: Decides the draws.

    Raises:
        InputError: If k is no number of clients, or there is no draw, or alpha no probability.
    """
    if not 1 <= clients_per_model <= num_clients:
        raise InputError(
            f"clients_per_model={clients_per_model} of {num_clients} clients: give 1 or more, and no more than clients"
        )
    if num_models < 1:
        raise InputError(f"models={num_models}: give 1 or more")
    if not 0 < alpha < 1:
        raise InputError(f"alpha={alpha:g} must be above 0 and below 1, such as 0.001")
    if math.comb(num_clients, clients_per_model) <= num_models:
        members = tuple(combinations(range(num_clients), clients_per_model))
        return Groups(num_clients, members, (1,) * len(members), clients_per_model)
    source, counts = generator(seed, "groups"), dict[tuple[int, ...], int]()
    for _ in range(num_models):
        drawn = torch.randperm(num_clients, generator=source)[:clients_per_model].sort().values
        group = tuple(drawn.tolist())
        counts[group] = counts.get(group, 0) + 1
    return Groups(num_clients, tuple(counts), tuple(counts.values()), clients_per_model, alpha)
