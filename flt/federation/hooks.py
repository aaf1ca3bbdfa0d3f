"""What passes through a round, and the base classes of everything that plugs into it.

A round calls these hooks, each on every callback that has it, in this order::

    on_federation    once a run: data, malicious clients (an attack poisons local data here)
    on_client_updates           what the clients send (an attack crafts malicious updates here)
    on_updates_received         what the server makes of them before the rule (clipping, say)
    aggregate                   the rule; there is exactly one
    on_round_end                metrics

A hook returns the new value, or None for "unchanged"; nothing is changed in place.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from flt.data.examples import ClientData
from flt.data.triggers import Trigger
from flt.errors import InputError
from flt.federation.judgement import Judgement
from flt.random import generator

Value = TypeVar("Value")


@dataclass(frozen=True)
class Backdoor:
    """A backdoor's trigger and the class it is to be taken for."""

    trigger: Trigger
    target_class: int


@dataclass(frozen=True)
class Federation:
    """What stays the same for a whole run.

    Attributes:
        clients: Local data of all clients.
        num_examples: Examples each client was given, before any attack added to them, shape ``[num_clients]``.
        malicious: Which clients are malicious, boolean, shape ``[num_clients]``.
        num_expected: Malicious clients that rules expect unless told otherwise; the malicious ones' number wherever
            there is an attack.
        clients_per_round: Clients that take part in a round (tau).
        num_classes: Number of classes.
        seed: The run's seed.
        backdoor: The data set's own trigger and target class, for attacks that bring none.
    """

    clients: ClientData
    num_examples: Tensor
    malicious: Tensor
    num_expected: int
    clients_per_round: int
    num_classes: int
    seed: int
    backdoor: Backdoor

    @property
    def num_clients(self) -> int:
        """Number of clients (n)."""
        return len(self.malicious)

    @property
    def num_malicious(self) -> int:
        """Number of malicious clients (m)."""
        return int(self.malicious.sum())

    @property
    def expected_per_round(self) -> int:
        """Malicious clients that rules expect in a round: the share of ``num_expected`` that falls to it."""
        return round(self.num_expected * self.clients_per_round / self.num_clients)

    def replace(self, **changes: Any) -> "Federation":
        """A copy with some attributes changed."""
        return replace(self, **changes)


BY_CLIENT = ("client_ids", "malicious", "num_examples", "updates", "losses", "statistics")
"""What a round has a row of for each client."""


@dataclass(frozen=True)
class Round:
    """One round's updates and whose they are; rows of all tensors correspond.

    Attributes:
        number: The round, counted from 0.
        client_ids: Who takes part, shape ``[num_clients]``.
        malicious: Which of them are malicious, shape ``[num_clients]``.
        num_examples: Size of their local data as the server knows it, shape ``[num_clients]``.
        updates: Their local updates g_i, shape ``[num_clients, num_params]``, float32.
        root_update: The server's own update g_0, shape ``[num_params]``; None if nothing in this run needs it.
        losses: Mean training loss of each client's batch, shape ``[num_clients]``.
        statistics: By how much local training moved the running statistics of batch normalisation, shape
            ``[num_clients, num_statistics]``; no columns for a network without any.
        root_statistics: The same of the server's own training, shape ``[num_statistics]``.
        federation: What stays the same for a whole run.
        num_dropped: Updates that were removed because they held a NaN or an infinity.
    """

    number: int
    client_ids: Tensor
    malicious: Tensor
    num_examples: Tensor
    updates: Tensor
    root_update: Tensor | None
    losses: Tensor
    statistics: Tensor
    root_statistics: Tensor | None
    federation: Federation = field(repr=False)
    num_dropped: int = 0

    def replace(self, **changes: Any) -> "Round":
        """A copy with some attributes changed."""
        return replace(self, **changes)

    def generator(self, stream: str) -> torch.Generator:
        """Fresh random numbers for a callback's ``stream`` in this round, on the device of the updates."""
        # The prefix keeps a callback's streams apart from those of the round itself.
        return generator(self.federation.seed, f"callback/{stream}", self.number, device=self.updates.device)

    def __len__(self) -> int:
        return len(self.client_ids)

    def without_updates(self) -> "Round":
        """The round with neither updates nor statistics: no columns are left of them."""
        # New tensors: an empty view would keep all of the old ones in memory.
        no_columns = self.updates.new_empty(len(self), 0)
        return replace(self, updates=no_columns, statistics=no_columns)

    @classmethod
    def joined(cls, parts: "Sequence[Round]") -> "Round":
        """The round that these parts make up, in their order."""
        rows: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in BY_CLIENT}
        return replace(parts[0], **rows, num_dropped=sum(part.num_dropped for part in parts))

    def keep(self, mask: Tensor) -> "Round":
        """The round without the clients where ``mask``, boolean of shape ``[num_clients]``, is False."""
        rows: dict[str, Any] = {name: getattr(self, name)[mask] for name in BY_CLIENT}
        return replace(self, **rows, num_dropped=self.num_dropped + int((~mask).sum()))

    def require_root_update(self) -> Tensor:
        """The root update; a callback that calls this sets ``needs_root_update = True``."""
        assert self.root_update is not None, "a callback uses the root update without needs_root_update = True"
        return self.root_update

    def require_root_statistics(self) -> Tensor:
        """The statistics that come with the root update."""
        assert self.root_statistics is not None, "a callback uses the root update without needs_root_update = True"
        return self.root_statistics


@dataclass(frozen=True)
class Aggregate:
    """What a rule made of a round.

    Attributes:
        update: The aggregate g, shape ``[num_params]``.
        statistics: What the rule made of the round's ``statistics``, shape ``[num_statistics]``; None stands for their
            coordinate-wise median.
        judgement: What the rule says of each client of the round.
    """

    update: Tensor
    statistics: Tensor | None = None
    judgement: Judgement = field(default_factory=Judgement)

    @property
    def trust_scores(self) -> Tensor | None:
        """The judgement's trust scores, shape ``[num_clients]``; None for a rule without any."""
        return self.judgement.trust_scores


class FederatedCallback(Callback):
    """A Lightning callback that also takes part in rounds; override the hooks you need."""

    needs_root_update: bool = False
    """Whether rounds have to compute the server's own update."""

    by_client: bool = False
    """Whether ``on_client_updates`` and ``on_updates_received`` treat each client by itself, so that a round of very
    many clients may come to them in parts. Random draws then need a stream for each client: a stream that all share
    would begin anew in every part. A class that overrides one of the hooks says so anew."""

    @property
    def label(self) -> str:
        """What summaries and figures call it."""
        return type(self).__name__

    def on_federation(self, federation: Federation) -> Federation | None:
        """Once, before the first round."""

    def on_client_updates(self, round: Round) -> Round | None:
        """What the clients send."""

    def on_updates_received(self, round: Round) -> Round | None:
        """What the server makes of the updates before the rule sees them, such as clipping."""

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """After the global model has taken its step; ``round`` is what the rule saw.

        Of a round that came in parts ``round.updates`` and ``round.statistics`` have no columns left.
        """


class Aggregation(FederatedCallback, ABC):
    """Base class of the aggregation rules: one method from a round to its aggregate.

    Updates with a NaN or an infinity are removed before; at least one client is left.
    """

    @abstractmethod
    def aggregate(self, round: Round) -> Aggregate:
        """The rule."""

    def describe(self, federation: Federation) -> str:
        """The rule and the settings it takes from the federation, for people."""
        return self.label

    def check(self, federation: Federation) -> None:
        """Raises an `InputError` if the rule's settings do not fit the federation; called before the first round."""

    def on_federation(self, federation: Federation) -> None:
        """Checks the settings."""
        self.check(federation)


class Attack(FederatedCallback, ABC):
    """Base class of the attacks: override `poison` to change local data, `craft` to change updates, or both.

    Args:
        fraction: Fraction of the clients that are malicious; ``round(fraction * num_clients)`` of them, drawn once by
            the seed.

    Raises:
        InputError: If ``fraction`` is outside [0, 1).
    """

    active: bool = True
    """Whether the clients chosen by ``fraction`` are malicious indeed."""

    def __init__(self, fraction: float) -> None:
        if not 0.0 <= fraction < 1.0:
            raise InputError(f"attack.fraction={fraction} must be at least 0 and less than 1")
        self.fraction = fraction

    def backdoor(self, default: Backdoor) -> Backdoor | None:
        """The backdoor whose success is measured, None if the attack has none; ``default`` is the data set's own."""
        return None

    def poison(self, federation: Federation) -> ClientData | None:
        """The local data with those of the malicious clients changed."""

    def craft(self, round: Round) -> Tensor | None:
        """What the server receives, shape ``[num_clients, num_params]``, given every client's honest update."""

    def on_federation(self, federation: Federation) -> Federation | None:
        """Poisons the local data."""
        poisoned = self.poison(federation)
        return None if poisoned is None else federation.replace(clients=poisoned)

    def on_client_updates(self, round: Round) -> Round | None:
        """Crafts the malicious updates."""
        crafted = self.craft(round)
        return None if crafted is None else round.replace(updates=crafted)


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The trainer's callbacks, in the order in which they are called."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def only(trainer: Trainer, kind: type[Any]) -> Any:
    """The one callback of a kind, None if there is none.

    Raises:
        InputError: If there are several.
    """
    found = [callback for callback in callbacks_of(trainer) if isinstance(callback, kind)]
    if len(found) > 1:
        names = ", ".join(type(callback).__name__ for callback in found)
        raise InputError(f"trainer.callbacks holds several of kind {kind.__name__} ({names}): keep one")
    return found[0] if found else None


def call_hook(callbacks: Iterable[Callback], name: str, value: Value) -> Value:
    """Passes ``value`` through the hook ``name`` of every callback that has it."""
    for callback in callbacks:
        hook = getattr(callback, name, None)
        if hook is not None:
            changed = hook(value)
            value = value if changed is None else changed
    return value
