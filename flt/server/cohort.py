"""The cohort of a round: its clients' local training, all at once or part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flt.clients.batches import LocalBatches, take_batches, whole
from flt.clients.draws import EpochRows
from flt.clients.one_by_one import LocalUpdates
from flt.clients.steps.base import Kept, Steps
from flt.clients.training import LocalTraining
from flt.data.datamodule import FederatedDataModule
from flt.federation import Federation, Memory, Round
from flt.server.draws import DrawnRound, RoundDraws, as_seen
from flt.server.local_work import Attackers, LocalData, LocalRound, WorkOfClients
from flt.server.processes import Processes
from flt.server.root_data import RootData

# Numbers (updates or examples, whichever are more) in a part of a round: on a CPU 4 MiB, which the allocator keeps
# and gives again to the next part; on a GPU 1 GiB.
PART = {"cpu": 2**20, "cuda": 2**28}
# But so many clients, to keep threads busy, as long as they take no more than 64 MiB.
MIN_CLIENTS, LARGEST_PART = 64, 2**24


@dataclass(frozen=True)
class Cohort:
    """Trains a round's clients on what was drawn for them, and the server on its root dataset.

    Args:
        training: Local training of the global model.
        draws: What draws the rounds.
        root_data: What computes with the server's data; None if nothing needs it.
    """

    training: LocalTraining
    draws: RoundDraws
    root_data: RootData | None = None

    @property
    def federation(self) -> Federation:
        """Who there is, after every attack on local data."""
        return self.draws.federation

    def in_parts(
        self,
        number: int,
        client_lr: float,
        *,
        clients_per_part: int,
        processes: Processes,
        attackers: Attackers | None = None,
    ) -> Iterator[Round]:
        """The round's updates, for some of its clients at a time; together they do not depend on the parts.

        Args:
            number: The round, counted from 0.
            client_lr: The clients' learning rate in it.
            clients_per_part: Clients in a part.
            processes: Who else trains parts of the round.
            attackers: What lets malicious clients train in their own way; None where they train as everyone.

        Yields:
            This process's parts; at least one, which may have no clients.
        """
        federation, drawn = self.federation, self.draws(number) if attackers is None else attackers.work.round.drawn
        attacking = federation.attackers(number)
        parameters = self.training.flat.flatten()
        server = None if self.root_data is None else self.root_data.of(number, client_lr, parameters)
        of_server, root = [self.root_batches(drawn)] if self.draws.needs_root else [], None
        own: list[Tensor] = []
        num_parts = -(-len(drawn.client_ids) // clients_per_part)
        mine = [part for part in range(num_parts) if processes.has(part, num_parts)]
        for part in mine or [num_parts]:  # which has no clients
            some = slice(part * clients_per_part, (part + 1) * clients_per_part)
            ids = drawn.client_ids[some]
            own.append(ids)
            # The server trains like one more client, together with those of the first part.
            trained, *roots = self._trained(drawn, some, of_server, client_lr)
            root, of_server = roots[0] if roots else root, []
            malicious = attacking[ids]
            if attackers is not None:
                trained = attackers.retrained(ids, malicious, trained)
            yield Round(
                number=number,
                client_ids=ids,
                malicious=malicious,
                num_examples=federation.num_examples[ids],
                updates=trained.updates,
                root_update=None if root is None else root.updates[0],
                losses=trained.losses,
                statistics=trained.statistics,
                root_statistics=None if root is None else root.statistics[0],
                parameters=parameters,
                federation=federation,
                server=server,
            )
            del trained  # the next part takes their memory
        if self.kept is not None:
            processes.share(self.kept, torch.cat(own), drawn.client_ids)

    def _trained(
        self, drawn: DrawnRound, some: slice, of_server: Sequence[LocalBatches], client_lr: float
    ) -> list[LocalUpdates]:
        """What some of a round's clients have trained, then the server.

        Passes over all examples of many clients need not be there at once: they are made for a few clients at a time,
        those with as many examples together.
        """
        ids, server = drawn.client_ids, [(self._server, batches) for batches in of_server]
        if not isinstance(drawn.rows, EpochRows) or len(ids[some]) <= self.clients_at_a_time:
            return self._together(drawn.number, [(ids[some], self.client_batches(drawn, some)), *server], client_lr)
        places = torch.arange(len(ids))[some]
        order = drawn.rows.sizes[places].argsort(descending=True, stable=True)
        pieces = [piece.sort().values for piece in torch.split(places[order], self.clients_at_a_time)]
        found = [
            self._together(drawn.number, [(ids[piece], self.client_batches(drawn, piece))], client_lr)[0]
            for piece in pieces
        ]
        back = torch.cat(pieces).argsort().to(found[0].updates.device)
        clients = LocalUpdates(*(torch.cat(each)[back] for each in zip(*found, strict=True)))
        return [clients, *(self._together(drawn.number, [each], client_lr)[0] for each in server)]

    def _together(
        self, number: int, groups: Sequence[tuple[Tensor, LocalBatches]], client_lr: float
    ) -> list[LocalUpdates]:
        """What groups of clients have trained, each with who they are, from what they keep."""
        lent = [self._lent(number, ids) for ids, _ in groups]
        return self.training.together([batches for _, batches in groups], client_lr=client_lr, steps=lent)

    def work_of_attackers(self, number: int, client_lr: float, memory: Memory) -> WorkOfClients:
        """The local work of all malicious clients of a round; ``memory`` is what their attack has kept."""
        parameters, drawn = self.training.flat.flatten(), self.draws(number)
        ids = drawn.client_ids[self.federation.attackers(number)[drawn.client_ids]]
        lent = self._lent(number, ids)
        # A copy, as usual training moves what is lent.
        before = None if lent is None else lent.copied(torch.arange(len(ids)))
        return LocalRound(self._local_data, number, client_lr, parameters, drawn, ids, before).work(memory)

    @cached_property
    def kept(self) -> Kept | None:
        """What every client keeps from round to round for its steps; None for nothing."""
        return self.training.steps.kept(self.federation.num_clients)

    @cached_property
    def _server(self) -> Tensor:
        """The server's place in what is kept, behind all clients."""
        return torch.tensor([self.federation.num_clients])

    def _lent(self, number: int, ids: Tensor) -> Steps | None:
        if self.kept is None:
            return None
        alone = self.federation.without_momentum(number)
        return self.kept.lend(ids, torch.cat([alone, alone.new_zeros(1)])[ids])

    @cached_property
    def _local_data(self) -> LocalData:
        return LocalData(self.training, self.draws)

    @property
    def clients_at_a_time(self) -> int:
        """How many clients' batches are made at a time where those are long."""
        chunk = self.training.clients_per_chunk
        return self.clients_per_part if chunk == "auto" else max(self.clients_per_part, chunk)

    @cached_property
    def clients_per_part(self) -> int:
        """How many clients to train at a time where they need not all be there at once."""
        batch = self.draws.examples_per_client * self._data.root.features[0].numel()
        device = self.federation.clients.features.device.type
        per_client = max(self.training.flat.num_params, batch)
        return max(PART.get(device, PART["cpu"]) // per_client, min(MIN_CLIENTS, LARGEST_PART // per_client), 1)

    @property
    def _data(self) -> FederatedDataModule:
        return self.draws.data

    def client_batches(self, drawn: DrawnRound, some: slice | Tensor) -> LocalBatches:
        """What some of the clients train on."""
        return as_seen(
            self._data, drawn.batches(some), None if drawn.augmentation is None else drawn.augmentation[some]
        )

    def root_batches(self, drawn: DrawnRound) -> LocalBatches:
        """What the server's own update g_0 is trained on."""
        root = self._data.root
        if drawn.root_rows is None:
            batches = self._whole_root
        else:
            batches = take_batches(root.features, root.labels, drawn.root_rows)
        seeds = self.draws.layer_seeds("root layers", drawn.number, torch.zeros(1), batches.labels.shape[1])
        return as_seen(self._data, batches._replace(seeds=seeds), drawn.root_augmentation)

    @cached_property
    def _whole_root(self) -> LocalBatches:
        return whole(self._data.root.features, self._data.root.labels, local_steps=self.draws.local_steps)
