"""The memories of a run's plug-ins, kept from round to round."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor

from flt.errors import InputError
from flt.federation import Memory
from flt.federation.memory import NOTHING, grown, mapped, restored, saved
from flt.server.processes import Processes


class Memories:
    """What each plug-in has kept; the one place of the engine where something changes from round to round.

    Args:
        callbacks: The plug-ins.
        processes: Who shares the work; all keep the same.
        device: Device of the updates, on which all tensors are kept: so they are where they are after a resume, and
            where processes can exchange them.
    """

    def __init__(self, callbacks: Iterable[Callback], processes: Processes, device: torch.device | str = "cpu") -> None:
        self._processes = processes
        self._device = device
        self._names: dict[int, str] = {}
        for callback in callbacks:  # a second plug-in of a kind is told apart by its number
            number = sum(name.split("#")[0] == type(callback).__name__ for name in self._names.values())
            self._names[id(callback)] = type(callback).__name__ + (f"#{number + 1}" if number else "")
        self._kept: dict[str, Memory] = {}

    def of(self, callback: Callback) -> Memory:
        """What a plug-in has kept; empty before it has kept anything."""
        return self._kept.get(self._names[id(callback)], NOTHING)

    def keep(self, callback: Callback, memory: Memory) -> None:
        """Keeps what a plug-in gives back, in every process what the first one has.

        Raises:
            InputError: If it is nothing that a memory may hold.
        """
        name = self._names[id(callback)]

        def own(tensor: Tensor) -> Tensor:
            # Detached, as a graph would keep every earlier round alive; a view would keep what it is a part of.
            kept = tensor.detach().to(self._device)
            is_part = kept.layout == torch.strided and kept.untyped_storage().nbytes() > kept.nbytes
            return kept.clone() if is_part else kept

        try:
            content = mapped(memory, own)
        except InputError as error:
            raise InputError(f"{type(callback).__name__}: {error}") from error
        self._kept[name] = MappingProxyType(self._processes.agreed_memory(content, self._device))

    def grow(self, num_clients: int) -> None:
        """Makes room for clients that have joined since."""
        self._kept = {name: MappingProxyType(grown(memory, num_clients)) for name, memory in self._kept.items()}

    def state(self) -> dict[str, Any]:
        """Everything kept, as plain values for a checkpoint."""
        return {name: saved(memory) for name, memory in self._kept.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave; of plug-ins that this run does not have, nothing."""
        names = set(self._names.values())
        self._kept = {
            name: MappingProxyType(restored(content, self._device)) for name, content in state.items() if name in names
        }
