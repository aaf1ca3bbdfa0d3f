"""What the server computes with data of its own: scores of models on the root dataset, updates on small data sets."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from flt.clients.batch_norm import statistics_of
from flt.clients.batches import take_batches
from flt.clients.draws import passes
from flt.clients.evaluation import Evaluation
from flt.clients.one_by_one import LocalUpdates
from flt.clients.training import LocalTraining
from flt.data.datamodule import FederatedDataModule
from flt.data.examples import ClientData, Examples
from flt.random import generator
from flt.server.draws import RoundDraws, as_seen

Asked = tuple[ClientData, Tensor, Tensor | None]


@dataclass(frozen=True)
class RootData:
    """The server's data for a whole run.

    Args:
        training: Local training of the global model.
        draws: What draws the rounds.
    """

    training: LocalTraining
    draws: RoundDraws

    def of(self, number: int, client_lr: float, parameters: Tensor) -> "ServerOfRound":
        """What a round's plug-ins can ask of it.

        Args:
            number: The round, counted from 0.
            client_lr: The clients' learning rate in it.
            parameters: The global model's at its start, shape ``[num_params]``.
        """
        statistics = {name: value.clone() for name, value in statistics_of(self.training.network).items()}
        return ServerOfRound(self, number, client_lr, parameters, statistics)

    @property
    def data(self) -> FederatedDataModule:
        """The data module."""
        return self.draws.data

    @cached_property
    def root_features(self) -> Tensor:
        """The examples of the root dataset as the network sees them."""
        features = self.data.root.features
        return features if self.data.normalization is None else self.data.normalization(features)

    @cached_property
    def evaluation(self) -> Evaluation:
        """What evaluates other models than the global one."""
        return Evaluation(self.training.flat)

    @cached_property
    def drawn(self) -> dict[tuple[str, float], ClientData]:
        """The data sets that have been drawn, by kind and setting: each is drawn once a run."""
        return {}

    def shared(self, fraction: float) -> ClientData:
        """Draws the same part of each client's examples, rounded up, without replacement."""
        clients = self.data.clients  # which no attack has changed
        sizes = clients.sizes.cpu()
        owners = torch.arange(len(sizes)).repeat_interleave(sizes)
        keys = torch.rand(len(owners), generator=generator(self.draws.federation.seed, "shared examples"))
        order = keys.argsort()
        order = order[owners[order].argsort(stable=True)]  # by client, then at random
        rank = torch.arange(len(owners)) - clients.offsets[:-1].cpu().repeat_interleave(sizes)
        counts = (sizes.double() * fraction).ceil().long()
        chosen = order[rank < counts[owners]].to(clients.labels.device)
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(clients.offsets)
        return ClientData(clients.features[chosen], clients.labels[chosen], offsets)

    def root_parts(self, num_parts: int) -> ClientData:
        """Deals the root dataset out to parts of nearly one size."""
        root = self.data.root
        order = torch.randperm(len(root), generator=generator(self.draws.federation.seed, "root parts"))
        owners = torch.empty_like(order).scatter_(0, order, torch.arange(len(root)) % num_parts)
        return ClientData.from_owners(root, owners.to(root.labels.device), num_parts)


@dataclass(frozen=True)
class ServerOfRound:
    """The server's data in one round; see `flt.federation.Server`.

    Args:
        of_run: What stays the same.
        number: The round.
        client_lr: The clients' learning rate in it.
        parameters: The global model's at its start.
        statistics: Its statistics of batch normalisation then.
    """

    of_run: RootData
    number: int
    client_lr: float
    parameters: Tensor
    statistics: dict[str, Tensor]
    _answers: list[tuple[Asked, LocalUpdates]] = field(default_factory=list, repr=False)

    @property
    def root(self) -> Examples:
        """The root dataset, as the data set keeps it."""
        return self.of_run.data.root

    def logits(self, updates: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Class scores of ``w + updates`` on the root dataset."""
        run = self.of_run
        if updates.ndim == 1:
            return self.logits(updates[None], None if statistics is None else statistics[None])[0]
        return run.evaluation(self.parameters + updates, run.root_features, self.statistics, statistics)

    def train(
        self, sets: ClientData, indices: Tensor | None = None, *, stand_for: Tensor | None = None
    ) -> LocalUpdates:
        """Trains on each of the sets as a client would."""
        chosen = torch.arange(sets.num_clients) if indices is None else indices.cpu()
        asked = (sets, chosen, stand_for)
        if not self._answers or not _same(self._answers[0][0], asked):  # else an attack that asks the rule anew
            self._answers[:] = [(asked, self._trained(sets, chosen, stand_for))]
        return self._answers[0][1]

    def _trained(self, sets: ClientData, indices: Tensor, stand_for: Tensor | None) -> LocalUpdates:
        run = self.of_run
        rows = self._rows(sets, indices, stand_for)
        batches = take_batches(sets.features, sets.labels, rows)
        seeds = run.draws.layer_seeds("server layers", self.number, indices, rows.shape[1])
        seen = as_seen(run.data, batches._replace(seeds=seeds), self._augmentation(indices, rows))
        with torch.enable_grad():
            return run.training(seen, client_lr=self.client_lr)

    def shared(self, fraction: float) -> ClientData:
        """The same part of each client's examples, from before any attack."""
        drawn, key = self.of_run.drawn, ("shared", fraction)
        if key not in drawn:
            drawn[key] = self.of_run.shared(fraction)
        return drawn[key]

    def root_parts(self, num_parts: int) -> ClientData:
        """The same parts of the root dataset."""
        drawn, key = self.of_run.drawn, ("root", num_parts)
        if key not in drawn:
            drawn[key] = self.of_run.root_parts(num_parts)
        return drawn[key]

    def _rows(self, sets: ClientData, indices: Tensor, stand_for: Tensor | None) -> Tensor:
        """The rows that each set is trained on, -1 for padding, shape ``[num_sets, local_steps, batch_size]``."""
        draws, largest = self.of_run.draws, self.of_run.data.largest_batch
        sizes, starts = sets.sizes.cpu()[indices], sets.offsets.cpu()[indices]
        wanted = sizes if stand_for is None else torch.maximum(sizes, stand_for.cpu().long())
        wanted = torch.where(sizes > 0, wanted, 0)
        if draws.local_epochs is not None:
            return self._passes(indices, starts, sizes, wanted)
        wanted = wanted.clamp(max=largest)
        places = torch.arange(max(1, int(wanted.max()))) if len(wanted) else torch.arange(1)
        first = starts[:, None] + places % sizes.clamp(min=1)[:, None]
        rows = torch.where(places < wanted[:, None], first, -1)[:, None].repeat(1, draws.local_steps, 1)
        # A set that fits into a batch needs no draw; others draw by themselves, whichever others there are.
        for row in (sizes > largest).nonzero().flatten().tolist():
            keys = torch.rand(draws.local_steps, int(sizes[row]), generator=self._generator("batches", indices[row]))
            rows[row] = starts[row] + keys.topk(largest, dim=1, largest=False).indices
        return rows

    def _passes(self, indices: Tensor, starts: Tensor, sizes: Tensor, wanted: Tensor) -> Tensor:
        """The same of ``local_epochs`` passes over ``wanted`` examples, those of a smaller set again and again."""
        run, rows = self.of_run, []
        width = min(run.data.largest_batch, max(1, int(wanted.max()))) if len(wanted) else 1
        assert run.draws.local_epochs is not None
        for index, start, size, count in zip(indices, starts, sizes, wanted.tolist(), strict=True):
            source = self._generator("epochs", index)
            own = passes(count, local_epochs=run.draws.local_epochs, batch_size=width, generator=source)
            rows.append(torch.where(own < 0, -1, start + own % size.clamp(min=1)))
        return pad_sequence(rows, True, -1) if rows else torch.full((0, 1, width), -1)

    def _augmentation(self, indices: Tensor, rows: Tensor) -> Tensor | None:
        inputs = self.of_run.data.inputs
        if not inputs.augments or not len(indices):
            return None
        count = rows[0].numel()
        return torch.stack([inputs.draw(count, self._generator("augmentation", index)) for index in indices])

    def _generator(self, stream: str, index: Tensor) -> torch.Generator:
        return generator(self.of_run.draws.federation.seed, f"server {stream}/{int(index)}", self.number)


def _same(one: Asked, other: Asked) -> bool:
    alike = one[2] is other[2] or (one[2] is not None and other[2] is not None and torch.equal(one[2], other[2]))
    return one[0] is other[0] and torch.equal(one[1], other[1]) and alike
