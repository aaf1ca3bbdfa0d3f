"""What the server computes with data of its own: scores of models on the root dataset, updates on small data sets."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flt.clients.batch_norm import statistics_of
from flt.clients.batches import take_batches
from flt.clients.evaluation import Evaluation
from flt.clients.one_by_one import LocalUpdates
from flt.clients.training import LocalTraining
from flt.data.datamodule import FederatedDataModule
from flt.data.examples import ClientData, Examples
from flt.random import generator
from flt.server.draws import RoundDraws
from flt.server.seen import as_seen


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
    def parts(self) -> dict[float, ClientData]:
        """What clients have shared, by the fraction."""
        return {}

    def drawn_part(self, fraction: float) -> ClientData:
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

    def train(self, sets: ClientData, indices: Tensor | None = None) -> LocalUpdates:
        """Trains on each of the sets as a client would."""
        run = self.of_run
        chosen = torch.arange(sets.num_clients) if indices is None else indices.cpu()
        rows = self._rows(sets, chosen)
        batches = take_batches(sets.features, sets.labels, rows)
        seen = as_seen(run.data, batches, self._augmentation(chosen, rows))
        with torch.enable_grad():
            return run.training(seen, client_lr=self.client_lr)

    def shared(self, fraction: float) -> ClientData:
        """The same part of each client's examples, from before any attack."""
        parts = self.of_run.parts
        if fraction not in parts:
            parts[fraction] = self.of_run.drawn_part(fraction)
        return parts[fraction]

    def _rows(self, sets: ClientData, indices: Tensor) -> Tensor:
        """The rows that each set is trained on, -1 for padding, shape ``[num_sets, local_steps, batch_size]``."""
        draws = self.of_run.draws
        sizes, starts = sets.sizes.cpu()[indices], sets.offsets.cpu()[indices]
        batch_size = max(1, min(self.of_run.data.batch_size, int(sizes.max()))) if len(sizes) else 1
        places = torch.arange(batch_size)
        first = torch.where(places < sizes[:, None], starts[:, None] + places, -1)
        rows = first[:, None].repeat(1, draws.local_steps, 1)
        # A set that fits into a batch needs no draw; others draw by themselves, whichever others there are.
        for row in (sizes > batch_size).nonzero().flatten().tolist():
            keys = torch.rand(draws.local_steps, int(sizes[row]), generator=self._generator("batches", indices[row]))
            rows[row] = starts[row] + keys.topk(batch_size, dim=1, largest=False).indices
        return rows

    def _augmentation(self, indices: Tensor, rows: Tensor) -> Tensor | None:
        inputs = self.of_run.data.inputs
        if not inputs.augments or not len(indices):
            return None
        count = rows[0].numel()
        return torch.stack([inputs.draw(count, self._generator("augmentation", index)) for index in indices])

    def _generator(self, stream: str, index: Tensor) -> torch.Generator:
        return generator(self.of_run.draws.federation.seed, f"server {stream}/{int(index)}", self.number)
