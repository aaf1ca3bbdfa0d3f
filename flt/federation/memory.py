"""What outlives a round: values that a plug-in is given with a round and gives back, kept by the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from flt.errors import InputError
from flt.functional.blocks import column_blocks
from flt.runs.states import ROWS, as_plain

Memory = Mapping[str, Any]
"""A plug-in's memory by name: tensors, `ClientMemory`, numbers, text, and lists and dictionaries of these.

The engine keeps it from round to round, in checkpoints and on every process, its tensors on the device of the updates.
Nobody changes it in place.
"""

NOTHING: Memory = MappingProxyType({})
"""The memory of a plug-in that has kept nothing yet."""


@dataclass(frozen=True)
class ClientMemory:
    """One row for each client of the federation, kept by client id; a client that is absent keeps its row.

    Attributes:
        rows: Shape ``[num_clients, *shape]``; zero for clients that never had one.
        is_known: Which clients have a row, boolean of shape ``[num_clients]``.
    """

    rows: Tensor
    is_known: Tensor

    @classmethod
    def empty(cls, num_clients: int, like: Tensor) -> ClientMemory:
        """A memory in which no client has a row yet.

        Args:
            num_clients: Clients of the federation.
            like: Rows such as will be kept, shape ``[any, *shape]``; gives shape, dtype and device.

        Example:
            >>> memory = ClientMemory.empty(3, torch.zeros(1, 2)).updated(torch.tensor([2]), torch.ones(1, 2))
            >>> memory.of(torch.tensor([0, 2]))
            tensor([[0., 0.],
                    [1., 1.]])
        """
        rows = like.new_zeros(1, *like.shape[1:]).expand(num_clients, *like.shape[1:])  # which takes no memory
        return cls(rows, torch.zeros(num_clients, dtype=torch.bool, device=like.device))

    def of(self, client_ids: Tensor) -> Tensor:
        """The rows of some clients, in the order of their ids, shape ``[len(client_ids), *shape]``; no copy of all."""
        return self.rows if self._are_all(client_ids) else self.rows[client_ids.to(self.rows.device)]

    def updated(self, client_ids: Tensor, rows: Tensor) -> ClientMemory:
        """A memory with other rows for some clients."""
        ids = client_ids.to(self.rows.device)
        return ClientMemory(self.rows.index_copy(0, ids, rows), self.is_known.index_fill(0, ids, True))

    def added(self, client_ids: Tensor, blocks: Iterable[Tensor]) -> ClientMemory:
        """A memory in which something is added to the rows of some clients, a vector each.

        Args:
            client_ids: The clients. One that comes more than once, by copies of its row, gets one of the vectors.
            blocks: What is added, as `flt.functional.blocks.column_blocks` divides the columns.

        Example:
            >>> memory = ClientMemory.empty(3, torch.zeros(1, 2)).added(torch.tensor([2, 1]), [torch.eye(2)])
            >>> memory.added(torch.arange(3), [torch.ones(3, 2)]).rows
            tensor([[1., 1.],
                    [1., 2.],
                    [2., 1.]])
        """
        ids, are_all = client_ids.to(self.rows.device), self._are_all(client_ids)
        rows = self.rows.new_empty(self.rows.shape)
        for new, kept, block in zip(column_blocks(rows), column_blocks(self.rows), blocks, strict=True):
            if are_all:
                torch.add(kept, block, out=new)
            else:
                new.copy_(kept).index_copy_(0, ids, kept[ids] + block)
        return ClientMemory(rows, self.is_known.index_fill(0, ids, True))

    def grown(self, num_clients: int) -> ClientMemory:
        """A memory with places for more clients, who have no row yet; those that there are keep theirs."""
        more = num_clients - len(self.rows)
        if more <= 0:
            return self
        rows = torch.cat([self.rows, self.rows.new_zeros(more, *self.rows.shape[1:])])
        return ClientMemory(rows, torch.cat([self.is_known, self.is_known.new_zeros(more)]))

    def _are_all(self, client_ids: Tensor) -> bool:
        """Whether these are the ids of all clients in their order."""
        return len(client_ids) == len(self.rows) and bool((client_ids.diff() == 1).all())


def mapped(memory: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A memory with ``change`` applied to every tensor in it.

    Raises:
        InputError: If it holds anything but what a `Memory` may hold.
    """
    if isinstance(memory, Tensor):
        return change(memory)
    if isinstance(memory, ClientMemory):
        return ClientMemory(change(memory.rows), change(memory.is_known))
    if isinstance(memory, Mapping):
        return {_name(name): mapped(value, change) for name, value in memory.items()}
    if isinstance(memory, Sequence) and not isinstance(memory, str):
        return [mapped(value, change) for value in memory]
    memory = as_plain(memory)
    if memory is None or isinstance(memory, bool | int | float | str):
        return memory
    raise InputError(
        f"a memory holds a {type(memory).__name__}: keep tensors, ClientMemory, numbers, text, lists or dictionaries"
    )


def grown(memory: Any, num_clients: int) -> Any:
    """A memory in which every `ClientMemory` has places for so many clients."""
    if isinstance(memory, ClientMemory):
        return memory.grown(num_clients)
    if isinstance(memory, Mapping):
        return {name: grown(value, num_clients) for name, value in memory.items()}
    return [grown(value, num_clients) for value in memory] if isinstance(memory, list) else memory


def saved(memory: Any) -> Any:
    """A memory as plain values, as checkpoints hold it."""
    if isinstance(memory, ClientMemory):
        return {ROWS: memory.rows, "is_known": memory.is_known}
    if isinstance(memory, Mapping):
        return {name: saved(value) for name, value in memory.items()}
    return [saved(value) for value in memory] if isinstance(memory, list) else memory


def restored(content: Any, device: torch.device | str) -> Any:
    """The memory that `saved` made plain, with its tensors on a device."""
    if isinstance(content, Tensor):
        return content.to(device)
    if isinstance(content, dict) and content.keys() == {ROWS, "is_known"}:
        return ClientMemory(content[ROWS].to(device), content["is_known"].to(device))
    if isinstance(content, dict):
        return {name: restored(value, device) for name, value in content.items()}
    return [restored(value, device) for value in content] if isinstance(content, list) else content


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise InputError(f"a memory has a key {name!r} of type {type(name).__name__}: give its parts names")
    return name
