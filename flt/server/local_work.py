"""The local training of malicious clients in their own way, between the usual training and what they send."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from flt.clients.batch_norm import statistics_of
from flt.clients.batches import LocalBatches
from flt.clients.encoder import Encoder
from flt.clients.evaluation import Evaluation
from flt.clients.loss import batch_loss
from flt.clients.one_by_one import LocalUpdates
from flt.clients.recipe import Loss, Projection, Recipe
from flt.clients.steps.base import Steps
from flt.clients.training import LocalTraining
from flt.data.examples import ClientData
from flt.errors import LARGEST, InputError, check_count
from flt.federation import Attack, Federation
from flt.federation.memory import Memory
from flt.federation.returned import check_trained, described
from flt.random import generator
from flt.server.draws import DrawnRound, RoundDraws, augmented, normalized


@dataclass(frozen=True)
class LocalData:
    """What malicious clients train with, for a whole run.

    Args:
        training: Local training of the global model.
        draws: What draws the rounds.
    """

    training: LocalTraining
    draws: RoundDraws

    @cached_property
    def honest_draws(self) -> RoundDraws:
        """What draws the rounds as they were without the attack."""
        federation = self.draws.federation
        groups = tuple(replace(group, clients=None) for group in federation.groups)  # who takes part stays as it is
        federation = federation.replace(clients=federation.honest or federation.clients, honest=None, groups=groups)
        return replace(self.draws, federation=federation, needs_root=False)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What evaluates other models than the global one."""
        return Evaluation(self.training.flat)

    def training_before(self, layer: str | None) -> LocalTraining:
        """Local training of the global model, with what a layer is given in place of the scores; None for scores."""
        if layer is None:
            return self.training
        return replace(self.training, network=Encoder(self.training.network, layer))


@dataclass(frozen=True)
class LocalRound:
    """What the malicious clients of a round share.

    Args:
        run: What stays the same.
        number: The round, counted from 0.
        client_lr: The clients' learning rate in it.
        parameters: The global model's at its start.
        drawn: The round as it was drawn.
        client_ids: The malicious clients, ascending.
        before: Their steps, with what they had kept before the round; None where they keep nothing.
    """

    run: LocalData
    number: int
    client_lr: float
    parameters: Tensor
    drawn: DrawnRound
    client_ids: Tensor
    before: Steps | None = None

    @cached_property
    def honest_drawn(self) -> DrawnRound:
        """The round as it was drawn without the attack."""
        return self.run.honest_draws(self.number)

    def work(self, memory: Memory) -> "WorkOfClients":
        """The local work of all malicious clients of the round; ``memory`` is what their attack has kept."""
        return WorkOfClients(self, self.client_ids, memory, self.run.draws.federation)

    def steps(self, client_ids: Tensor) -> Steps | None:
        """The steps of some of the clients from what they had kept before the round, which stays as it is."""
        return None if self.before is None else self.before.copied(torch.searchsorted(self.client_ids, client_ids))


@dataclass(frozen=True)
class WorkOfClients:
    """The local work of some malicious clients; see `flt.federation.LocalWork`.

    Args:
        round: The round.
        client_ids: Who they are.
        memory: What the attack has kept.
        federation: What stays the same for a whole run, as the attack sees it.
        usual: What usual training gave them; None before.
    """

    round: LocalRound
    client_ids: Tensor
    memory: Memory
    federation: Federation
    usual: LocalUpdates | None = None

    @property
    def number(self) -> int:
        """The round, counted from 0."""
        return self.round.number

    @property
    def parameters(self) -> Tensor:
        """The global model's."""
        return self.round.parameters

    @property
    def client_lr(self) -> float:
        """The clients' learning rate in the round."""
        return self.round.client_lr

    @property
    def trained(self) -> LocalUpdates:
        """What usual training gave them."""
        assert self.usual is not None, "clients have not trained when prepare is called"
        return self.usual

    @cached_property
    def batches(self) -> LocalBatches:
        """What usual training gives them."""
        return self._taken(self.round.drawn)

    @cached_property
    def honest(self) -> LocalBatches:
        """What they would be given without the attack."""
        return self._taken(self.round.honest_drawn)

    def draw(
        self, epochs: int = 1, *, steps: int | None = None, honest: bool = False, stream: str = "draw"
    ) -> LocalBatches:
        """Further batches, in passes over each client's examples."""
        check_count("epochs", epochs)
        check_count("steps", steps)
        drawn, kind = (self.round.honest_drawn, f"{stream}, honest") if honest else (self.round.drawn, stream)
        places = self._places(drawn)
        source = None if drawn.source is None else drawn.source[places]
        of = [0] * len(places) if source is None else source.tolist()
        rows = [
            self._passes(drawn.sources[block], client, epochs, steps, kind)
            for block, client in zip(of, self.client_ids.tolist(), strict=True)
        ]
        length, width = (max([1, *(each.shape[axis] for each in rows)]) for axis in (0, 1))
        padded = torch.full((len(rows), length, width), -1)
        for row, each in zip(padded, rows, strict=True):
            row[: each.shape[0], : each.shape[1]] = each
        own = replace(drawn, client_ids=self.client_ids, rows=padded, source=source, seeds=self._layer_seeds(kind))
        batches = own.batches(slice(None))
        return augmented(self.round.run.draws.data, batches, self._augmentation(padded, kind))

    def _passes(self, held: ClientData, client: int, epochs: int, steps: int | None, stream: str) -> Tensor:
        """Rows of one client's batches, shape ``[num_steps, batch_size]``."""
        start, size = int(held.offsets[client]), int(held.sizes[client])
        width = min(self.round.run.draws.data.largest_batch, size)
        if not size:
            return torch.zeros(0, 0, dtype=torch.long)
        num_steps = -(-epochs * size // width) if steps is None else steps
        source = self.generator(f"{stream}, rows", client)
        passes = [torch.randperm(size, generator=source) for _ in range(-(-num_steps * width // size))]
        return torch.cat(passes)[: num_steps * width].view(num_steps, width) + start

    def _layer_seeds(self, stream: str) -> Callable[[Tensor, int], Tensor | None]:
        """What random layers draw from; see `DrawnRound`."""
        return partial(self.round.run.draws.layer_seeds, f"local/{stream}, layers", self.number)

    def _augmentation(self, rows: Tensor, stream: str) -> Tensor | None:
        inputs = self.round.run.draws.data.inputs
        if not inputs.augments or not len(rows):
            return None
        sources = [self.generator(f"{stream}, augmentation", client) for client in self.client_ids.tolist()]
        return torch.stack([inputs.draw(rows[0].numel(), source) for source in sources])

    def sgd(
        self,
        batches: LocalBatches,
        *,
        lr: float | None = None,
        loss: Loss | None = None,
        mask: Tensor | None = None,
        project: Projection | None = None,
        start: LocalUpdates | None = None,
        before: str | None = None,
    ) -> LocalUpdates:
        """Local training from the global model."""
        if before is not None and loss is None:
            raise InputError(f"sgd was given before={before!r} without a loss: give the loss of what comes before it")
        lr = self.client_lr if lr is None else lr
        if not abs(lr) <= LARGEST:
            raise InputError(f"sgd was given lr={lr} in round {self.number}: give a finite number")
        self._check_rows("batches", batches.labels)
        if mask is not None and mask.shape != self.parameters.shape:
            self._check_rows("mask", mask, len(self.parameters))
        if start is not None:
            self._check_rows("start", start.updates, len(self.parameters))
        updates, statistics = (None, None) if start is None else (start.updates, start.statistics)
        recipe = Recipe(loss, mask, project, updates, statistics, before, ascends=lr < 0)
        if batches.seeds is None:  # of the attack's own making
            seeds = self._layer_seeds("sgd")(self.client_ids, batches.labels.shape[1])
            batches = batches._replace(seeds=seeds)
        seen = normalized(self.round.run.draws.data, batches)
        with torch.enable_grad():
            training, steps = self.round.run.training_before(before), self.round.steps(self.client_ids)
            return training.by_recipe(seen, recipe, client_lr=lr, steps=steps)

    def usual_loss(self, scores: Tensor, labels: Tensor, weights: Tensor, update: Tensor | None = None) -> Tensor:
        """The loss that clients usually minimise."""
        return batch_loss(scores, labels, weights, self.round.run.training.settings.loss_reduction)

    def logits(self, updates: Tensor, features: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Class scores of ``w + updates``."""
        if updates.ndim == 1:
            return self.logits(updates[None], features, None if statistics is None else statistics[None])[0]
        training, data = self.round.run.training, self.round.run.draws.data
        if features.ndim > data.root.features.ndim:  # of each update its own
            changes = [None] * len(updates) if statistics is None else list(statistics)
            each = zip(updates, features, changes, strict=True)
            return torch.stack([self.logits(*one) for one in each])
        seen = features if data.normalization is None else data.normalization(features)
        own = statistics_of(training.network)
        return self.round.run.evaluation(self.parameters + updates, seen, own, statistics)

    def generator(self, stream: str, client: int | None = None) -> torch.Generator:
        """Fresh random numbers."""
        whose = "" if client is None else f"/{client}"
        return generator(self.federation.seed, f"local/{stream}{whose}", self.number)

    def of(self, some: Tensor, memory: Memory, federation: Federation | None = None) -> "WorkOfClients":
        """The work of some of the clients."""
        usual = None if self.usual is None else LocalUpdates(*(rows[some] for rows in self.usual))
        return WorkOfClients(self.round, self.client_ids[some], memory, federation or self.federation, usual)

    def _places(self, drawn: DrawnRound) -> Tensor:
        """Where the clients are among those of the round, who are in the order of their ids."""
        return torch.searchsorted(drawn.client_ids, self.client_ids)

    def _taken(self, drawn: DrawnRound) -> LocalBatches:
        places = self._places(drawn)
        augmentation = None if drawn.augmentation is None else drawn.augmentation[places]
        return augmented(self.round.run.draws.data, drawn.batches(places), augmentation)

    def _check_rows(self, name: str, given: Tensor, width: int | None = None) -> None:
        expected = (len(self.client_ids), *given.shape[1:]) if width is None else (len(self.client_ids), width)
        if given.shape != expected:
            raise InputError(
                f"sgd was given {described(given)} as {name} in round {self.number}: give a row for each of the"
                f" {len(self.client_ids)} clients of the work, of shape {list(expected)}"
            )


@dataclass(frozen=True)
class Attackers:
    """Lets the malicious clients of a round train as their attack says.

    Args:
        attack: The attack.
        work: The work of all of them, with what the attack keeps.
    """

    attack: Attack
    work: WorkOfClients

    def retrained(self, ids: Tensor, malicious: Tensor, trained: LocalUpdates) -> LocalUpdates:
        """What the clients of a part of the round have trained, with the malicious ones' own way.

        Args:
            ids: The clients of the part.
            malicious: Which of them attack.
            trained: What usual training gave the clients of the part; it may be changed.
        """
        if not malicious.any():
            return trained
        rows = malicious.nonzero().flatten().to(trained.updates.device)
        usual = LocalUpdates(*(each[rows] for each in trained))
        work = replace(self.work, client_ids=ids[malicious], usual=usual)
        found = self.attack.train(work)
        if found is None:
            return trained
        found = check_trained(f"{type(self.attack).__name__}.train", found, usual, number=work.number)
        return LocalUpdates(*(each.index_copy(0, rows, own) for each, own in zip(trained, found, strict=True)))
