"""What passes through a round: values that nobody changes in place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from flt.data.backdoor import Backdoor
from flt.data.examples import ClientData
from flt.errors import InputError
from flt.federation.judgement import Judgement
from flt.federation.memory import NOTHING, Memory
from flt.federation.schedule import Group
from flt.federation.server import Server
from flt.functional.layout import Piece
from flt.functional.rows import Rows, as_shares
from flt.functional.weighted_sum import WeightedSum
from flt.random import generator, sample_clients


@dataclass(frozen=True)
class Federation:
    """What stays the same for a whole run.

    Attributes:
        clients: Local data of all clients, on which malicious ones train when they attack.
        num_examples: Examples each client was given, before any attack added to them, shape ``[num_clients]``; of an
            added client that was given none, as many as the others have on average.
        malicious: Which clients may ever attack, boolean, shape ``[num_clients]``.
        num_byzantine: Malicious clients that rules assume (f) unless told otherwise; not always as many as there are.
        clients_per_round: Clients that take part in a round (tau).
        num_classes: Number of classes.
        seed: The run's seed.
        backdoor: The data set's own trigger and target class, for attacks that bring none.
        num_rows: Rows that a rule sees in a round where a pre-aggregation makes fewer of them; None for a row for each
            client.
        root_size: Examples of the server's root dataset; None where it is not known.
        layout: Name, shape and place of each parameter tensor in a flat update, in order.
        groups: The malicious clients by the attack that they make, with its schedule; none where all of ``malicious``
            attack in every round.
        honest: Local data as they were before an attack changed them, on which malicious clients train when they do not
            attack; None where ``clients`` are as they were.
        server_lr: Factor of the aggregate in the global model's step; 1 under a server optimizer, which has its own.
        num_added: Malicious clients that were added to those among whom the data were dealt out: the last ones. They
            take part in rounds in which they attack.
    """

    clients: ClientData
    num_examples: Tensor
    malicious: Tensor
    num_byzantine: int
    clients_per_round: int
    num_classes: int
    seed: int
    backdoor: Backdoor
    num_rows: int | None = None
    root_size: int | None = None
    layout: tuple[Piece, ...] = field(default=(), repr=False)
    groups: tuple[Group, ...] = ()
    honest: ClientData | None = field(default=None, repr=False)
    server_lr: float = 1.0
    num_added: int = 0

    @property
    def num_clients(self) -> int:
        """Number of clients (n)."""
        return len(self.malicious)

    @property
    def num_malicious(self) -> int:
        """Malicious clients at a time (m), before a schedule holds some of them back."""
        drawn = sum(group.num_malicious for group in self.groups if group.schedule.redraw)
        return int(self.malicious_throughout.sum()) + drawn

    @property
    def malicious_throughout(self) -> Tensor:
        """Which clients are malicious for the whole run, and not drawn in some rounds, shape ``[num_clients]``."""
        drawn = [group.candidates for group in self.groups if group.schedule.redraw]
        return self.malicious & ~torch.stack(drawn).any(dim=0) if drawn else self.malicious

    @property
    def benign_throughout(self) -> Tensor:
        """Which clients are there and not malicious for the whole run, shape ``[num_clients]``."""
        is_added = torch.arange(self.num_clients) >= self.num_clients - self.num_added
        return ~self.malicious_throughout & ~is_added

    def attackers(self, number: int) -> Tensor:
        """Who attacks in a round, counted from 0: boolean, shape ``[num_clients]``."""
        if all(group.schedule.is_constant for group in self.groups):
            return self.malicious
        return torch.stack([group.attackers(number) for group in self.groups]).any(dim=0)

    def participants(self, number: int) -> Tensor:
        """Who takes part in a round, ascending: drawn among all clients but added ones that do not attack in it."""
        if not self.num_added:
            return sample_clients(self.num_clients, self.clients_per_round, seed=self.seed, round_number=number)
        present = (self.attackers(number) | self.benign_throughout).nonzero().flatten()
        size = min(self.clients_per_round, len(present))
        return present[sample_clients(len(present), size, seed=self.seed, round_number=number)]

    def without_momentum(self, number: int) -> Tensor:
        """Whose steps are by the gradient alone in a round: boolean, shape ``[num_clients]``."""
        alone = [group.attackers(number) for group in self.groups if not group.has_momentum]
        return torch.stack(alone).any(dim=0) if alone else torch.zeros_like(self.malicious)

    @property
    def local_data(self) -> tuple[ClientData, ...]:
        """All local data that anyone trains on in some round: those of attacks, then the honest ones."""
        own = [self.clients if group.clients is None else group.clients for group in self.groups] or [self.clients]
        return tuple({id(each): each for each in (*own, self.honest or self.clients)}.values())

    def trained_on(self, number: int) -> tuple[tuple[ClientData, Tensor], ...]:
        """On which local data clients train in a round, and who does: boolean masks of shape ``[num_clients]``.

        Where all malicious clients attack, theirs are the only ones: benign clients have theirs among them.

        Args:
            number: The round, counted from 0.
        """
        if self.honest is None or (attackers := self.attackers(number)).equal(self.malicious):
            return self._everyone
        masks = {id(each): torch.zeros_like(self.malicious) for each in self.local_data}
        for group in self.groups:
            masks[id(self.clients if group.clients is None else group.clients)] |= group.attackers(number)
        masks[id(self.honest)] |= ~attackers
        return tuple((each, masks[id(each)]) for each in self.local_data if masks[id(each)].any())

    @cached_property
    def _everyone(self) -> tuple[tuple[ClientData, Tensor], ...]:
        """Where all clients train on local data of one kind."""
        return ((self.clients, torch.ones_like(self.malicious)),)

    def describe_malicious(self) -> str:
        """How many clients are malicious, and when, for people."""
        return f"{self.num_malicious:,} of {self.num_clients:,} clients malicious{self.describe_schedule()}"

    def describe_schedule(self) -> str:
        """When malicious clients attack, for people: empty for always, else with a comma before it."""
        one_by_one = len(self.groups) > 1
        texts = [(f"{group.num_malicious} " * one_by_one, group.schedule.describe()) for group in self.groups]
        return "".join(f", {number}{text}" for number, text in texts if text)

    @property
    def byzantine_per_round(self) -> int:
        """Malicious clients that rules assume in a round: the share of ``num_byzantine`` that falls to it."""
        return self._per_round(self.num_byzantine)

    @property
    def malicious_per_round(self) -> int:
        """Malicious clients that take part in a round as a rule: their share of it."""
        return self._per_round(self.num_malicious)

    def _per_round(self, number: int) -> int:
        """How many of so many clients fall to a round."""
        return round(number * self.clients_per_round / self.num_clients)

    @property
    def rows_per_round(self) -> int:
        """Rows that the rule sees in a round."""
        return self.clients_per_round if self.num_rows is None else self.num_rows

    def replace(self, **changes: Any) -> "Federation":
        """A copy with some attributes changed."""
        return replace(self, **changes)


def _no_rule(updates: Tensor) -> Tensor:
    raise AssertionError("round.rule is there for attacks, in the hook on_client_updates")


BY_CLIENT = ("client_ids", "malicious", "num_examples", "updates", "losses", "statistics")
"""What a round has a row of for each client."""


@dataclass(frozen=True)
class Round:
    """One round's updates and whose they are; rows of all tensors correspond.

    Attributes:
        number: The round, counted from 0.
        client_ids: Who takes part, shape ``[num_clients]``.
        malicious: Which of them attack in this round, boolean of shape ``[num_clients]``, on the CPU.
        num_examples: Size of their local data as the server knows it, shape ``[num_clients]``.
        updates: Their local updates g_i, shape ``[num_clients, num_params]``, float32. Rules around which there is a
            pre-aggregation do without where they can: ``rows`` has their Gram matrix, norms, weighted sums, columns.
        root_update: The server's own update g_0, shape ``[num_params]``; None if nothing in this run needs it.
        losses: Mean training loss of each client's batch, shape ``[num_clients]``.
        statistics: By how much local training moved the running statistics of batch normalisation, shape
            ``[num_clients, num_statistics]``; no columns for a network without any.
        root_statistics: The same of the server's own training, shape ``[num_statistics]``.
        parameters: Those of the global model at the start of the round, w, shape ``[num_params]``.
        federation: What stays the same for a whole run.
        server: What the server can compute with data of its own, until the global model has taken its step; None if
            nothing in this run needs it.
        num_dropped: Clients that were removed: their updates held a NaN or an infinity, or a hook dropped them.
        memory: What the plug-in that is given this round has kept of earlier rounds; empty in the first one.
        unseen: Size of the local data of those who take part and have no row here, as the server knows it, shape
            ``[num_unseen]``: of the other groups' clients in the round of one of several attacks. None for nobody.
        rule: The aggregation rule as a function for attacks, from updates of shape ``[num_clients, num_params]`` to the
            aggregate, shape ``[num_params]``: what the server would make of them, defences and rows that it would drop
            included. Calls leave no trace in any memory or random stream.
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
    parameters: Tensor = field(repr=False)
    federation: Federation = field(repr=False)
    server: Server | None = field(default=None, repr=False)
    num_dropped: int = 0
    memory: Memory = field(default_factory=lambda: NOTHING, repr=False)
    unseen: Tensor | None = field(default=None, repr=False)
    rule: Callable[[Tensor], Tensor] = field(default=_no_rule, repr=False)

    def replace(self, **changes: Any) -> "Round":
        """A copy with some attributes changed; updates that stay are not written down."""
        return replace(self, **{"updates": self.rows} | changes)

    @property
    def rows(self) -> Rows:
        """The updates as rows of which nobody has to write down more than is asked for."""
        rows: Rows = self.__dict__["_rows"]
        return rows

    @property
    def device(self) -> torch.device:
        """Device of the updates."""
        return self.rows.updates.device

    @property
    def num_participants(self) -> int:
        """Clients that take part in the round, also those that have no row here."""
        return len(self) + (0 if self.unseen is None else len(self.unseen))

    @property
    def total_examples(self) -> int:
        """Examples of all clients that take part in the round, as the server knows them."""
        return int(self.num_examples.sum()) + (0 if self.unseen is None else int(self.unseen.sum()))

    def generator(self, stream: str) -> torch.Generator:
        """Fresh random numbers for a callback's ``stream`` in this round, on the device of the updates.

        Callbacks that name the same stream draw the same numbers: name it after the class, and after a setting as well
        where two of the class may take part in one run.
        """
        # The prefix keeps a callback's streams apart from those of the round itself.
        return generator(self.federation.seed, f"callback/{stream}", self.number, device=self.device)

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

    def keep(self, mask: Tensor, *, copy: bool = True) -> "Round":
        """The round without the clients where ``mask``, boolean of shape ``[num_clients]``, is False.

        Args:
            mask: Who stays.
            copy: Whether the updates that stay are copied; else they are picked out of this round's ``rows`` whenever
                something is asked of them. Without a copy all updates must be finite, those left out as well.
        """
        if mask.dtype != torch.bool or mask.shape != (len(self),):
            kind = str(mask.dtype).removeprefix("torch.")
            raise InputError(
                f"round.keep was given a tensor of {kind} of shape {list(mask.shape)}: give a mask, boolean of shape"
                f" [{len(self)}], True for who stays"
            )
        mask = mask.cpu()  # which picks rows on any device; client ids are on the CPU
        rows: dict[str, Any] = {name: getattr(self, name)[mask] for name in BY_CLIENT if copy or name != "updates"}
        if not copy:
            rows["updates"] = self.rows.picked(mask.nonzero().flatten())
        return replace(self, **rows, num_dropped=self.num_dropped + int((~mask).sum()))

    def require_root_update(self) -> Tensor:
        """The root update; a callback that calls this sets ``needs_root_update = True``."""
        assert self.root_update is not None, "a callback uses the root update without needs_root_update = True"
        return self.root_update

    def require_server(self) -> Server:
        """What computes with the server's data; a callback that calls this sets ``needs_root_data = True``."""
        assert self.server is not None, "a callback uses the server's data without needs_root_data = True"
        return self.server

    def require_root_statistics(self) -> Tensor:
        """The statistics that come with the root update."""
        assert self.root_statistics is not None, "a callback uses the root update without needs_root_update = True"
        return self.root_statistics


class _WrittenDown:
    """``round.updates``: the rows of a round as a tensor, written down when somebody asks for it."""

    def __get__(self, round: Round, owner: type[Round]) -> Tensor:
        return round.rows.tensor

    def __set__(self, round: Round, updates: Tensor | Rows) -> None:
        round.__dict__["_rows"] = updates if isinstance(updates, Rows) else Rows(updates)


Round.updates = _WrittenDown()  # type: ignore[assignment]


@dataclass(frozen=True)
class Aggregate:
    """What a rule made of a round.

    Attributes:
        update: The aggregate g, shape ``[num_params]``.
        statistics: What the rule made of the round's ``statistics``, shape ``[num_statistics]``; None stands for their
            coordinate-wise median.
        judgement: What the rule says of each client of the round.
        memory: What the rule keeps for the next round; None keeps what there is.
    """

    update: Tensor
    statistics: Tensor | None = None
    judgement: Judgement = field(default_factory=Judgement)
    memory: Memory | None = field(default=None, repr=False)

    @classmethod
    def mean_of(
        cls,
        round: Round,
        weights: Tensor,
        *,
        scales: Tensor | None = None,
        scores: Tensor | None = None,
        memory: Memory | None = None,
    ) -> "Aggregate":
        """The weighted mean of a round's updates, and of their statistics.

        Args:
            round: The round.
            weights: What each client counts, shape ``[num_clients]``, of any length and of any dtype, a mask say; they
                need not add up to 1. Where all are zero, so is the aggregate.
            scales: What each update is multiplied by before, shape ``[num_clients]``; None leaves them.
            scores: The rule's own score of each client, for the judgement, shape ``[num_clients]``.
            memory: What the rule keeps for the next round.
        """
        weights = weights if weights.is_floating_point() else weights.double()
        chosen = weights.nonzero().flatten()
        if len(chosen) == 1 and scales is None:  # as Krum does; no sum is needed
            judgement = Judgement(weights=(weights != 0).to(weights), scores=scores)
            return cls(round.rows.row(chosen[0]), round.statistics[chosen[0]].clone(), judgement, memory)
        weights = as_shares(weights)
        total = round.rows.scaled_sum(weights, scales)
        statistics = WeightedSum.of(round.statistics, weights)
        judgement = Judgement(weights=weights, scores=scores).shared_out(total.divisor)
        return cls(total.mean(), statistics.mean(), judgement, memory)

    @property
    def trust_scores(self) -> Tensor | None:
        """The judgement's trust scores, shape ``[num_clients]``; None for a rule without any."""
        return self.judgement.trust_scores
