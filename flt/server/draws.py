"""All random numbers of a round, drawn at once: who takes part, and on which examples, seen how, everyone trains."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flt.clients.draws import PairedRowDraws, RowDraws
from flt.data.datamodule import FederatedDataModule
from flt.federation import Federation
from flt.random import generator, sample_clients


@dataclass(frozen=True)
class DrawnRound:
    """A round as it was drawn, a function of seed and number.

    Attributes:
        number: The round, counted from 0.
        client_ids: Who takes part, shape ``[num_clients]``.
        rows: Rows of their examples, -1 for padding, shape ``[num_clients, local_steps, batch_size]``.
        augmentation: Random numbers for augmenting them, ``[num_clients, local_steps * batch_size, numbers]``; None
            where nothing is augmented.
        root_rows: Rows of the root dataset, shape ``[1, local_steps, root_batch_size]``; None for all of it, or where
            the server does not train.
        root_augmentation: The same as ``augmentation`` for the root dataset.
    """

    number: int
    client_ids: Tensor
    rows: Tensor
    augmentation: Tensor | None
    root_rows: Tensor | None
    root_augmentation: Tensor | None


@dataclass(frozen=True)
class RoundDraws:
    """Draws the rounds of a run.

    Args:
        data: The data.
        federation: Who there is, after every attack on local data.
        local_steps: Batches each client trains on in a round.
        root_batch_size: Examples of the root dataset per step; None is all of them.
        needs_root: Whether the server trains, too.
    """

    data: FederatedDataModule
    federation: Federation
    local_steps: int
    root_batch_size: int | None
    needs_root: bool

    def __call__(self, number: int) -> DrawnRound:
        """Draws the round of this number."""
        federation, seed = self.federation, self.federation.seed
        ids = sample_clients(federation.num_clients, federation.clients_per_round, seed=seed, round_number=number)
        row_draws = self._of_all if len(ids) == federation.num_clients else self._of(ids)
        rows = row_draws(generator(seed, "batches", number))
        augmentation = self.augmentation("augmentation", number, rows.shape, first=row_draws.batch_size)
        if not self.needs_root:
            return DrawnRound(number, ids, rows, augmentation, None, None)
        root_rows = None
        if self.root_batch_size is not None:
            root_rows = self._of_root(generator(seed, "root batches", number))
        shape = (1, self.local_steps, len(self.data.root)) if root_rows is None else root_rows.shape
        return DrawnRound(
            number, ids, rows, augmentation, root_rows, self.augmentation("root augmentation", number, shape)
        )

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

    @cached_property
    def _of_all(self) -> PairedRowDraws:
        return self._of(slice(None))

    def _of(self, ids: Tensor | slice) -> PairedRowDraws:
        return PairedRowDraws(
            self._starts[ids],
            self._sizes[ids],
            self._sizes_before[ids],
            local_steps=self.local_steps,
            batch_size=self.data.batch_size,
        )

    @cached_property
    def _of_root(self) -> RowDraws:
        size = len(self.data.root)
        batch_size = self.root_batch_size or size
        return RowDraws(torch.tensor([0]), torch.tensor([size]), local_steps=self.local_steps, batch_size=batch_size)
