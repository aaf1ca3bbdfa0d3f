"""Which examples the clients train on, drawn for all of them at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

# Random numbers held at once while rows are drawn.
BLOCK = 2**24


class RowDraws:
    """Draws a batch without replacement for every client and local step; steps are independent of each other.

    A client with fewer than ``batch_size`` examples trains on all of them; the rest of its batch is padding.

    Args:
        starts: First row of each client taking part, shape ``[num_clients]``, on the CPU.
        sizes: Number of examples of each of them, shape ``[num_clients]``; may be 0.
        local_steps: Batches per client.
        batch_size: Examples per batch.

    Attributes:
        batch_size: The same, or fewer if no client fills a batch.
    """

    def __init__(self, starts: Tensor, sizes: Tensor, *, local_steps: int, batch_size: int) -> None:
        self._width = max(int(sizes.max()), 1)
        self.batch_size = min(batch_size, self._width)
        self._local_steps = local_steps
        self._is_padded = bool((sizes < self.batch_size).any())
        per_block = max(1, BLOCK // self._width)
        self._starts = torch.split(starts[:, None, None], per_block)
        self._sizes = torch.split(sizes[:, None, None], per_block)
        self._absent = [self._find_absent(self._sizes[0])] if len(self._sizes) == 1 else None

    def __call__(self, generator: torch.Generator) -> Tensor:
        """Draws one round's rows.

        Args:
            generator: Source of the draws, on the CPU, so that every device trains on the same batches.

        Returns:
            Rows of the clients' examples, -1 for padding, int64 of shape ``[num_clients, local_steps, batch_size]``, or
            narrower if no client fills a batch.
        """
        drawn = []
        for starts, absent in zip(self._starts, self._absent or map(self._find_absent, self._sizes), strict=True):
            keys = torch.rand(len(starts), self._local_steps, self._width, generator=generator)
            # The rows with the smallest keys are a uniform draw without replacement; rows the client lacks sort last.
            keys.masked_fill_(absent, 2.0)
            smallest = keys.topk(self.batch_size, dim=2, largest=False, sorted=self._is_padded)
            rows = smallest.indices + starts
            drawn.append(torch.where(smallest.values < 2.0, rows, -1) if self._is_padded else rows)
        return drawn[0] if len(drawn) == 1 else torch.cat(drawn)

    def _find_absent(self, sizes: Tensor) -> Tensor:
        return torch.arange(self._width) >= sizes


class PairedRowDraws:
    """Draws the batches of `RowDraws` where an attack has changed how many examples some clients have.

    A client that has as many examples as before the attack draws the same ones in the same order, so that runs with
    and without the attack can be compared pair by pair. The other clients draw from all examples they have now.

    Args:
        starts: As for `RowDraws`.
        sizes: As for `RowDraws`.
        before: Number of examples of each client before the attack, shape ``[num_clients]``.
        local_steps: Batches per client.
        batch_size: Examples per batch.

    Attributes:
        batch_size: Examples per batch before the attack, fewer than asked for if no client filled a batch.
    """

    def __init__(self, starts: Tensor, sizes: Tensor, before: Tensor, *, local_steps: int, batch_size: int) -> None:
        self._draw = RowDraws(starts, before, local_steps=local_steps, batch_size=batch_size)
        self.batch_size = self._draw.batch_size
        self._changed = (sizes != before).nonzero().flatten()
        self._redraw = None
        if len(self._changed):
            starts, sizes = starts[self._changed], sizes[self._changed]
            self._redraw = RowDraws(starts, sizes, local_steps=local_steps, batch_size=batch_size)

    def __call__(self, generator: torch.Generator) -> Tensor:
        """Draws the rows of one round; they are wider than ``batch_size`` if a changed client fills more."""
        rows = self._draw(generator)
        if self._redraw is None:
            return rows
        # Changed clients draw last, after all clients have drawn as before the attack: no other draw is shifted.
        redrawn = self._redraw(generator)
        width = max(rows.shape[2], redrawn.shape[2])
        return widened(rows, width).index_copy_(0, self._changed, widened(redrawn, width))


@dataclass(frozen=True)
class EpochRows:
    """Rows of a round in which clients pass over all of their examples, drawn when they are asked for: ``rows[some]``.

    A client's rows depend on its generator and on how many examples it has, and on no other client. A tensor of all of
    them would be as long for every client as for the largest.

    Args:
        client_ids: Who takes part, shape ``[num_clients]``, on the CPU, like the next two.
        starts: First row of each of them.
        sizes: Number of examples of each of them; may be 0.
        local_epochs: Passes of each client.
        batch_size: Examples per batch.
        stream: The fresh generator of a client, by its id.
    """

    client_ids: Tensor
    starts: Tensor
    sizes: Tensor
    local_epochs: int
    batch_size: int
    stream: Callable[[int], torch.Generator]

    def __getitem__(self, some: slice | Tensor) -> Tensor:
        """Rows of some of the clients, -1 for padding, int64 of shape ``[num_clients, local_steps, batch_size]``."""
        each = zip(*(held[some].tolist() for held in (self.client_ids, self.starts, self.sizes)), strict=True)
        drawn = [self._of(client, start, size) for client, start, size in each]
        return pad_sequence(drawn, True, -1) if drawn else torch.full((0, 1, self.batch_size), -1)

    def _of(self, client: int, start: int, size: int) -> Tensor:
        own = passes(size, local_epochs=self.local_epochs, batch_size=self.batch_size, generator=self.stream(client))
        return torch.where(own < 0, -1, own + start)


def passes(size: int, *, local_epochs: int, batch_size: int, generator: torch.Generator) -> Tensor:
    """The rows of passes over some examples, each in an order drawn anew; the last batch of a pass may be smaller.

    Args:
        size: Number of examples.
        local_epochs: Passes.
        batch_size: Examples per batch.
        generator: Source of the draws, on the CPU.

    Returns:
        Rows, -1 for padding, int64 of shape ``[num_batches, batch_size]``: a batch of padding if there is no example.

    Example:
        >>> rows = passes(5, local_epochs=2, batch_size=3, generator=torch.Generator())
        >>> rows.shape, (rows >= 0).sum(dim=1).tolist()
        (torch.Size([4, 3]), [3, 2, 3, 2])
    """
    per_pass = max(1, -(-size // batch_size))
    rows = torch.full((local_epochs if size else 1, per_pass * batch_size), -1)
    for one in rows:
        torch.randperm(size, generator=generator, out=one[:size])
    return rows.view(-1, batch_size)


def widened(rows: Tensor, width: int) -> Tensor:
    """Adds padding behind ``rows``, shape ``[num_clients, local_steps, batch_size]``, up to a batch of ``width``."""
    return torch.nn.functional.pad(rows, (0, width - rows.shape[2]), value=-1)
