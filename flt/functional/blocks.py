"""Updates a few thousand parameters at a time, so that what is made of them stays in a processor's cache."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

Found = TypeVar("Found")

NUM_COLUMNS = 4096  # with 100 clients 1.6 MB of float32: about a core's own cache
LINE = 16  # numbers of float32 in a line of a cache


def column_blocks(updates: Tensor) -> tuple[Tensor, ...]:
    """Views of the updates that follow each other along the parameters, each of shape ``[num_clients, num_columns]``.

    On a CPU they are `NUM_COLUMNS` wide, the last one maybe less. A GPU is fastest with all at once: one block.
    """
    if updates.device.type != "cpu":
        return (updates,)
    return torch.split(updates, NUM_COLUMNS, dim=1)


def copied_blocks(updates: Tensor) -> tuple[Tensor, ...]:
    """The same for blocks of which copies are made that several threads then go through: one `NUM_COLUMNS` for each."""
    if updates.device.type != "cpu":
        return (updates,)
    # Were the rows of a copy a power of two apart, a column of it would fall on a few places of a cache.
    return torch.split(updates, max(2, torch.get_num_threads()) * NUM_COLUMNS - LINE, dim=1)


def as_numpy_holds(updates: Tensor) -> Tensor:
    """The updates, without a gradient, in a dtype that NumPy has too: float32 in place of bfloat16."""
    return updates.detach().float() if updates.dtype == torch.bfloat16 else updates.detach()


def joined(pieces: Iterable[Tensor], length: int) -> Tensor:
    """Pieces that follow one another, shape ``[length]``, each written down as soon as it comes.

    Small pieces that stay, between blocks that come and go, would keep an allocator from using the same memory again.
    """
    found, start = torch.empty(0), 0
    for piece in pieces:
        found = piece.new_empty(length) if start == 0 else found
        found[start : start + len(piece)] = piece
        start += len(piece)
    return found


def in_threads(function: Callable[..., Found], *blocks: Sequence[Tensor]) -> list[Found]:
    """What a function that leaves other threads free to run, as NumPy's do, makes of each block, in their order."""
    num_threads = min(torch.get_num_threads(), len(blocks[0])) if blocks[0][0].device.type == "cpu" else 1
    if num_threads < 2:
        return list(map(function, *blocks))
    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(function, *blocks))


def float64_blocks(updates: Tensor, rows: Tensor | None = None) -> Iterator[Tensor]:
    """Copies of the `column_blocks` in float64, each good until the next one takes its memory.

    Args:
        updates: Shape ``[num_clients, num_params]``.
        rows: Indices of the updates that are copied, shape ``[num_rows]``; None for all.
    """
    if rows is not None and len(rows) and bool((rows.diff() == 1).all()):  # neighbours need no copy to be picked
        updates, rows = updates[int(rows[0]) : int(rows[-1]) + 1], None
    blocks = column_blocks(updates)
    count = len(updates) if rows is None else len(rows)
    buffer = blocks[0].new_empty(count, blocks[0].shape[1], dtype=torch.float64)
    for block in blocks:
        yield buffer[:, : block.shape[1]].copy_(block if rows is None else block.index_select(0, rows))
