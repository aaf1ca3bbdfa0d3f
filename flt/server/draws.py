"""All random numbers of a round, drawn at once: who takes part, and on which examples, seen how, everyone trains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor

from flt.clients.batches import LocalBatches, take_batches, take_batches_of
from flt.clients.draws import EpochRows, PairedRowDraws, RowDraws, passes, widened
from flt.data.datamodule import FederatedDataModule
from flt.data.examples import ClientData
from flt.federation import Federation
from flt.random import generator

RandomLayerDraws = Literal["fresh", "repeated"]
"""Whether every client draws anew in every step, or all of them the same in all steps and rounds."""


@dataclass(frozen=True)
class DrawnRound:
    """A round as it was drawn, a function of seed and number.

    Attributes:
        number: The round, counted from 0.
        client_ids: Who takes part, shape ``[num_clients]``.
        rows: Rows of their examples, -1 for padding, shape ``[num_clients, local_steps, batch_size]``; a tensor, or
            what draws those of some clients when they are asked for.
        sources: The local data that the rows are of.
        seeds: What gives random layers what they draw from; arguments are the last two of `RoundDraws.layer_seeds`.
        source: Of which of ``sources`` a client's rows are, shape ``[num_clients]``; None where there is but one.
        augmentation: Random numbers for augmenting them, ``[num_clients, local_steps * batch_size, numbers]``,
            likewise; None where nothing is augmented.
        root_rows: Rows of the root dataset, shape ``[1, local_steps, root_batch_size]``; None for all of it, or where
            the server does not train.
        root_augmentation: The same as ``augmentation`` for the root dataset.
    """

    number: int
    client_ids: Tensor
    rows: Tensor | EpochRows
    augmentation: "Tensor | EpochAugmentation | None"
    root_rows: Tensor | None
    root_augmentation: Tensor | None
    sources: tuple[ClientData, ...]
    seeds: Callable[[Tensor, int], Tensor | None]
    source: Tensor | None = None

    def batches(self, some: slice | Tensor) -> LocalBatches:
        """What some of the clients train on, as the data set keeps it.

        Args:
            some: Their places among ``client_ids``.
        """
        blocks = [(each.features, each.labels) for each in self.sources]
        if self.source is None:
            batches = take_batches(*blocks[0], self.rows[some])
        else:
            batches = take_batches_of(blocks, self.source[some], self.rows[some])
        return batches._replace(seeds=self.seeds(self.client_ids[some], batches.labels.shape[1]))


@dataclass(frozen=True)
class RoundDraws:
    """Draws the rounds of a run.

    Args:
        data: The data.
        federation: Who there is, after every attack on local data.
        local_steps: Batches each client trains on in a round.
        local_epochs: Passes over its examples in place of them; None for none.
        root_batch_size: Examples of the root dataset per step; None is all of them, or in passes as many as clients'.
        needs_root: Whether the server trains, too.
        random_layers: How random layers of the network draw; None for a network without any.
    """

    data: FederatedDataModule
    federation: Federation
    local_steps: int
    local_epochs: int | None
    root_batch_size: int | None
    needs_root: bool
    random_layers: RandomLayerDraws | None = None

    def __call__(self, number: int) -> DrawnRound:
        """Draws the round of this number."""
        federation = self.federation
        ids = federation.participants(number)
        sources, source = self._sources(number, ids)
        draw = self._batches if self.local_epochs is None else self._epochs
        rows, augmentation = draw(number, ids, sources, source)
        root_rows, root_augmentation = self._root(number) if self.needs_root else (None, None)
        seeds = partial(self.layer_seeds, "layers", number)
        return DrawnRound(number, ids, rows, augmentation, root_rows, root_augmentation, sources, seeds, source)

    def _sources(self, number: int, ids: Tensor) -> tuple[tuple[ClientData, ...], Tensor | None]:
        """Which local data some clients train on in a round, and which of them each does; as in a `DrawnRound`."""
        held = self.federation.trained_on(number)
        if len(held) > 1:
            held = tuple((data, mask[ids]) for data, mask in held if mask[ids].any())
        source = None if len(held) == 1 else torch.stack([mask for _, mask in held]).long().argmax(dim=0)
        return tuple(data for data, _ in held), source

    def _batches(
        self, number: int, ids: Tensor, sources: Sequence[ClientData], source: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Rows of ``local_steps`` batches of each client, and their augmentation; arguments as in a `DrawnRound`."""
        # A client draws from its data of this round what it would draw if everyone trained on data of that kind: the
        # same as in rounds in which all malicious clients attack, or as without any attack.
        draws = [self._draws_of(data, ids) for data in sources]
        drawn = [each(generator(self.federation.seed, "batches", number)) for each in draws]
        rows = drawn[0] if source is None else _merged(drawn, source)
        return rows, self.augmentation("augmentation", number, rows.shape, first=draws[0].batch_size)

    def _epochs(
        self, number: int, ids: Tensor, sources: Sequence[ClientData], source: Tensor | None
    ) -> "tuple[EpochRows, EpochAugmentation | None]":
        """The same of ``local_epochs`` passes, drawn where they are asked for."""
        assert self.local_epochs is not None
        seed = self.federation.seed
        places = torch.stack([torch.stack(self._places[id(data)]) for data in sources], dim=2)
        starts, sizes = places[:, ids, 0 if source is None else source]
        rows = EpochRows(
            ids,
            starts,
            sizes,
            self.local_epochs,
            self._width,
            lambda client: generator(seed, f"epochs/{client}", number),
        )
        return rows, EpochAugmentation(rows, self.data, seed, number) if self.data.inputs.augments else None

    def _root(self, number: int) -> tuple[Tensor | None, Tensor | None]:
        """Rows of the server's batches and their augmentation."""
        seed, size = self.federation.seed, len(self.data.root)
        rows = None
        if self.local_epochs is not None:
            batch_size, source = min(self.root_batch_size or self.data.largest_batch, size), "root epochs"
            drawn = generator(seed, source, number)
            rows = passes(size, local_epochs=self.local_epochs, batch_size=batch_size, generator=drawn)[None]
        elif self.root_batch_size is not None:
            rows = self._of_root(generator(seed, "root batches", number))
        shape = (1, self.local_steps, size) if rows is None else rows.shape
        return rows, self.augmentation("root augmentation", number, shape)

    def layer_seeds(self, stream: str, number: int, indices: Tensor, num_steps: int) -> Tensor | None:
        """What random layers draw from: of each client and step its own, whoever else and however long others train.

        Args:
            stream: The stream that they come from.
            number: The round.
            indices: Ids of the clients, shape ``[num_clients]``.
            num_steps: Steps of each client.

        Returns:
            Shape ``[num_clients, num_steps]``; None for a network without random layers.
        """
        if self.random_layers is None:
            return None
        seed, highest = self.federation.seed, 2**62
        if self.random_layers == "repeated":
            return torch.randint(highest, (1,), generator=generator(seed, "layers")).expand(len(indices), num_steps)
        sources = [generator(seed, f"{stream}/{int(index)}", number) for index in indices.tolist()]
        drawn = [torch.randint(highest, (num_steps,), generator=source) for source in sources]
        return torch.stack(drawn) if drawn else torch.zeros(0, num_steps, dtype=torch.long)

    def augmentation(
        self, stream: str, number: int, shape: tuple[int, ...], *, first: int | None = None
    ) -> Tensor | None:
        """Random numbers for augmenting examples, shape ``[num_clients, local_steps * batch_size, numbers]``.

        The ``first`` examples of a batch get the same numbers however long an attack makes the batch, so that benign
        clients see the same images.

        Args:
            stream: The stream that they come from.
            number: The round.
            shape: ``[num_clients, local_steps, batch_size]`` of the examples.
            first: Examples of a batch without the attack; None for all.

        Returns:
            The numbers; None where nothing is augmented.
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

    @property
    def smallest_batch(self) -> int:
        """Examples in the smallest batch that anyone trains on, 1 or more."""
        sizes, batch_size = self._all_sizes[self._all_sizes > 0], self.data.largest_batch
        of_root = self.root_batch_size or len(self.data.root)
        if self.local_epochs is None:
            smallest = sizes.clamp(max=batch_size)
        else:  # the last one of a pass
            smallest, of_server = (sizes - 1) % batch_size + 1, self.root_batch_size or batch_size
            of_root = (len(self.data.root) - 1) % of_server + 1
        return min([*smallest.tolist(), of_root] if self.needs_root else smallest.tolist(), default=1)

    @property
    def largest(self) -> int:
        """Examples of the largest client, with those that an attack adds, 1 or more."""
        return max(1, int(self._all_sizes.max()))

    @property
    def most_steps(self) -> int:
        """Steps of the client that takes the most of them in a round."""
        return self.local_steps if self.local_epochs is None else self.local_epochs * -(-self.largest // self._width)

    @property
    def examples_per_client(self) -> int:
        """Examples that this client trains on, with repetitions and padding."""
        return self.most_steps * (self._width if self.local_epochs else self.data.batch_size or self.largest)

    @property
    def _width(self) -> int:
        """Examples in the batches of passes."""
        return min(self.data.largest_batch, self.largest)

    @cached_property
    def _all_sizes(self) -> Tensor:
        return torch.cat([each.sizes.cpu() for each in self.federation.local_data])

    # Kept on the CPU: the draws are made there, and reading a size back from a GPU would stall it every round.

    @cached_property
    def _places(self) -> dict[int, tuple[Tensor, Tensor]]:
        """First rows and sizes of all clients, by the identity of the local data."""
        return {id(each): (each.offsets[:-1].cpu(), each.sizes.cpu()) for each in self.federation.local_data}

    @cached_property
    def _sizes_before(self) -> Tensor:
        """Before any attack; not ``num_examples``, which is what the server knows and a client may lie about."""
        return self.data.clients.sizes.cpu()

    @cached_property
    def _of_all(self) -> dict[int, PairedRowDraws]:
        return {}

    def _draws_of(self, data: ClientData, ids: Tensor) -> PairedRowDraws:
        """What draws rows of a block of local data for some clients; kept where it is for all of them."""
        if len(ids) < self.federation.num_clients:
            return self._of(data, ids)
        if id(data) not in self._of_all:
            self._of_all[id(data)] = self._of(data, slice(None))
        return self._of_all[id(data)]

    def _of(self, data: ClientData, ids: Tensor | slice) -> PairedRowDraws:
        starts, sizes = self._places[id(data)]
        return PairedRowDraws(
            starts[ids],
            sizes[ids],
            self._sizes_before[ids],
            local_steps=self.local_steps,
            batch_size=self.data.largest_batch,
        )

    @cached_property
    def _of_root(self) -> RowDraws:
        size = len(self.data.root)
        batch_size = self.root_batch_size or size
        return RowDraws(torch.tensor([0]), torch.tensor([size]), local_steps=self.local_steps, batch_size=batch_size)


@dataclass(frozen=True)
class EpochAugmentation:
    """Random numbers for augmenting the examples of passes, drawn where they are asked for, by each client alone.

    Args:
        rows: The rows of the round.
        data: Whose examples they are.
        seed: The run's seed.
        number: The round.
    """

    rows: EpochRows
    data: FederatedDataModule
    seed: int
    number: int

    def __getitem__(self, some: slice | Tensor) -> Tensor:
        """Those of some of the clients, shape ``[num_clients, local_steps * batch_size, numbers]``; 0 for padding."""
        rows = self.rows[some].flatten(1)
        drawn = torch.zeros(*rows.shape, self.data.inputs.draw(0, torch.Generator()).shape[1])
        for client, own, numbers in zip(self.rows.client_ids[some].tolist(), rows >= 0, drawn, strict=True):
            source = generator(self.seed, f"augmentation of epochs/{client}", self.number)
            numbers[own] = self.data.inputs.draw(int(own.sum()), source)
        return drawn


def _merged(drawn: Sequence[Tensor], source: Tensor) -> Tensor:
    """The rows of each client from that of the draws which it trains by."""
    width = max(rows.shape[2] for rows in drawn)
    return torch.stack([widened(rows, width) for rows in drawn])[source, torch.arange(len(source))]


def augmented(data: FederatedDataModule, batches: LocalBatches, augmentation: Tensor | None) -> LocalBatches:
    """The batches augmented, in the data set's units.

    Args:
        data: Whose examples they are.
        batches: Of some clients.
        augmentation: Random numbers, shape ``[num_clients, local_steps * batch_size, numbers]``; None where nothing is
            augmented.
    """
    if augmentation is None:
        return batches
    return batches._replace(features=data.inputs.augment(batches.features, augmentation.flatten(0, 1)))


def normalized(data: FederatedDataModule, batches: LocalBatches) -> LocalBatches:
    """The batches as the network sees them, once they have been augmented."""
    if data.normalization is None:
        return batches
    return batches._replace(features=data.normalization(batches.features, channel_dim=3))


def as_seen(data: FederatedDataModule, batches: LocalBatches, augmentation: Tensor | None) -> LocalBatches:
    """The batches augmented, then normalised; arguments as for `augmented`."""
    return normalized(data, augmented(data, batches, augmentation))
