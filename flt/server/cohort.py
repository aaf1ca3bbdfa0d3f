"""The cohort of a round: its clients' local training, all at once or part by part."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flt.clients.batches import LocalBatches, take_batches, whole
from flt.clients.draws import PairedRowDraws, RowDraws
from flt.clients.training import LocalTraining
from flt.data.datamodule import FederatedDataModule
from flt.federation import Federation, Round
from flt.random import generator, sample_clients
from flt.server.processes import Processes

# Numbers (updates or examples, whichever are more) in a part of a round: on a CPU 4 MiB, which the allocator keeps
# and gives again to the next part; on a GPU 1 GiB.
PART = {"cpu": 2**20, "cuda": 2**28}
# But so many clients, to keep threads busy, as long as they take no more than 64 MiB.
MIN_CLIENTS, LARGEST_PART = 64, 2**24


@dataclass(frozen=True)
class Cohort:
    """Draws a round's clients and batches and trains on them, and on the server's root dataset.

    Args:
        training: Local training of the global model.
        data: The data, on the device.
        federation: Who there is, after every attack on local data.
        local_steps: Batches each client trains on in a round.
        root_batch_size: Examples of the root dataset per step; None is all of them.
        needs_root: Whether the server trains, too.
    """

    training: LocalTraining
    data: FederatedDataModule
    federation: Federation
    local_steps: int
    root_batch_size: int | None
    needs_root: bool

    def in_parts(
        self, number: int, client_lr: float, *, clients_per_part: int, processes: Processes
    ) -> Iterator[Round]:
        """The round's updates, for some of its clients at a time; together they do not depend on the parts.

        Args:
            number: The round, counted from 0.
            client_lr: The clients' learning rate in it.
            clients_per_part: Clients in a part.
            processes: Who else trains parts of the round.

        Yields:
            This process's parts; at least one, which may have no clients.
        """
        federation = self.federation
        ids = sample_clients(
            federation.num_clients, federation.clients_per_round, seed=federation.seed, round_number=number
        )
        row_draws = self._row_draws(ids)
        rows = row_draws(generator(federation.seed, "batches", number))
        draws = self._draws(rows.shape, "augmentation", number, first=row_draws.batch_size)
        of_server, root = [self._root_batches(number)] if self.needs_root else [], None
        num_parts = -(-len(ids) // clients_per_part)
        mine = [part for part in range(num_parts) if processes.has(part, num_parts)]
        for part in mine or [num_parts]:  # which has no clients
            some = slice(part * clients_per_part, (part + 1) * clients_per_part)
            clients, some_ids = federation.clients, ids[some]
            batches = take_batches(clients.features, clients.labels, rows[some])
            batches = self._as_seen(batches, None if draws is None else draws[some])
            # The server trains like one more client, together with those of the first part.
            trained, *roots = self.training.together([batches, *of_server], client_lr=client_lr)
            root, of_server = roots[0] if roots else root, []
            yield Round(
                number=number,
                client_ids=some_ids,
                malicious=federation.malicious[some_ids],
                num_examples=federation.num_examples[some_ids],
                updates=trained.updates,
                root_update=None if root is None else root.updates[0],
                losses=trained.losses,
                statistics=trained.statistics,
                root_statistics=None if root is None else root.statistics[0],
                federation=federation,
            )
            del batches, trained  # the next part takes their memory

    @cached_property
    def clients_per_part(self) -> int:
        """How many clients to train at a time where they need not all be there at once."""
        batch = self.local_steps * self.data.batch_size * self.data.root.features[0].numel()
        device = self.federation.clients.features.device.type
        per_client = max(self.training.flat.num_params, batch)
        return max(PART.get(device, PART["cpu"]) // per_client, min(MIN_CLIENTS, LARGEST_PART // per_client), 1)

    @property
    def smallest_batch(self) -> int:
        """Examples in the smallest batch that anyone trains on, 1 or more."""
        sizes = self._sizes[self._sizes > 0].clamp(max=self.data.batch_size).tolist()
        return min([*sizes, self.root_batch_size or len(self.data.root)] if self.needs_root else sizes, default=1)

    # Kept on the CPU: the draws are made there, and reading a size back from a GPU would stall it every round.

    @cached_property
    def _starts(self) -> Tensor:
        return self.federation.clients.offsets[:-1].cpu()

    @cached_property
    def _sizes(self) -> Tensor:
        return self.federation.clients.sizes.cpu()

    @cached_property
    def _sizes_before(self) -> Tensor:
        """Before any attack; not ``num_examples``, which is what the server knows and a client may lie about."""
        return self.data.clients.sizes.cpu()

    def _row_draws(self, ids: Tensor) -> PairedRowDraws:
        return self._row_draws_of_all if len(ids) == self.federation.num_clients else self._row_draws_of(ids)

    @cached_property
    def _row_draws_of_all(self) -> PairedRowDraws:
        return self._row_draws_of(slice(None))

    def _row_draws_of(self, ids: Tensor | slice) -> PairedRowDraws:
        return PairedRowDraws(
            self._starts[ids],
            self._sizes[ids],
            self._sizes_before[ids],
            local_steps=self.local_steps,
            batch_size=self.data.batch_size,
        )

    def _draws(self, shape: tuple[int, ...], stream: str, number: int, *, first: int | None = None) -> Tensor | None:
        """What augmentation needs for examples in this shape, a row for each client; None where there is none.

        What the ``first`` of each batch get does not depend on how many more there are; None for all of them.
        """
        if not self.data.inputs.augments:
            return None
        clients, steps, width = shape
        source, first = generator(self.federation.seed, stream, number), first or width
        draws = [
            self.data.inputs.draw(clients * steps * examples, source).view(clients, steps, examples, -1)
            for examples in (first, width - first)
            if examples
        ]
        return torch.cat(draws, dim=2).flatten(1, 2)

    def _root_batches(self, number: int) -> LocalBatches:
        """What the server's own update g_0 is trained on."""
        root = self.data.root
        if self.root_batch_size is None:
            batches = self._whole_root
        else:
            rows = self._root_row_draws(generator(self.federation.seed, "root batches", number))
            batches = take_batches(root.features, root.labels, rows)
        return self._as_seen(batches, self._draws(batches.labels.shape, "root augmentation", number))

    @cached_property
    def _whole_root(self) -> LocalBatches:
        return whole(self.data.root.features, self.data.root.labels, local_steps=self.local_steps)

    @cached_property
    def _root_row_draws(self) -> RowDraws:
        size = len(self.data.root)
        batch_size = self.root_batch_size or size
        return RowDraws(torch.tensor([0]), torch.tensor([size]), local_steps=self.local_steps, batch_size=batch_size)

    def _as_seen(self, batches: LocalBatches, draws: Tensor | None) -> LocalBatches:
        """The batches as the network sees them: augmented, then normalised."""
        if draws is not None:
            batches = batches._replace(features=self.data.inputs.augment(batches.features, draws.flatten(0, 1)))
        if self.data.normalization is not None:
            batches = batches._replace(features=self.data.normalization(batches.features, channel_dim=3))
        return batches
