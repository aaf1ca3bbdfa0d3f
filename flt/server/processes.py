"""Several processes: which part of a round each trains, and how the parts come together again."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, distributed

from flt.clients.steps.base import Kept
from flt.errors import InputError
from flt.federation import Judgement, Memory, PartialAggregate, Round
from flt.federation.memory import mapped
from flt.federation.round import BY_CLIENT
from flt.functional.weighted_sum import WeightedSum

WIDE = ("updates", "statistics")


@dataclass(frozen=True)
class Processes:
    """The processes of a run, each of which has all data and the whole model; alone, it does nothing.

    Args:
        rank: This process, counted from 0.
        world_size: How many there are.
    """

    rank: int = 0
    world_size: int = 1

    def has(self, part: int, num_parts: int) -> bool:
        """Whether the part of this number is for this process; neighbours go to one process."""
        return part * self.world_size // num_parts == self.rank

    def check_agree(self, settings: dict[str, Any]) -> None:
        """Raises an `InputError` in every process if they were started with different data or settings."""
        if self.world_size == 1:
            return
        all_settings = self._objects(settings)
        for name, value in all_settings[0].items():
            for rank, other in enumerate(all_settings):
                if other.get(name) != value:
                    shown = "" if isinstance(value, list) else f" ({value} and {other.get(name)})"
                    raise InputError(f"processes 0 and {rank} differ in {name}{shown}: start all of them alike")

    def joined(self, round: Round) -> Round:
        """The clients of all processes, in their order."""
        if self.world_size == 1:
            return round
        sizes = self._objects(len(round))
        # Few numbers a client go as they are; the wide tensors follow without being copied into an object.
        rounds = [replace(round, **small) for small in self._objects(_small(round))]
        wide: dict[str, Any] = {name: self._rows(getattr(round, name), sizes) for name in WIDE}
        return replace(Round.joined([part.without_updates() for part in rounds]), **wide)

    def summed(self, partial: PartialAggregate) -> PartialAggregate:
        """The same over the clients of all processes."""
        if self.world_size == 1:
            return partial
        judgement = Judgement.joined(self._objects(Judgement.joined(partial.judgements).to("cpu")))
        return PartialAggregate(
            self._sum(partial.updates),
            self._sum(partial.statistics),
            (judgement.to(partial.updates.values.device),),
        )

    def share(self, kept: Kept, own: Tensor, everyone: Tensor) -> None:
        """Lets every process have what the clients of all of them keep.

        Args:
            kept: What they keep.
            own: The clients that this process has trained.
            everyone: Those of all processes, in their order.
        """
        if self.world_size == 1:
            return
        sent = kept.sent(own)
        if isinstance(sent, Tensor):
            kept.receive(everyone, self._rows(sent, self._objects(len(own))))
        else:
            kept.receive(everyone, [each for some in self._objects(sent) for each in some])

    def agreed(self, tensor: Tensor) -> Tensor:
        """The first process's, so that rounding cannot let the processes' models drift apart."""
        if self.world_size > 1:
            tensor = tensor.contiguous()
            distributed.broadcast(tensor, src=0)
        return tensor

    def agreed_memory(self, memory: Memory, device: torch.device | str) -> Memory:
        """The first process's memory: its structure, numbers and text as well as its tensors, which are on a device."""
        if self.world_size == 1:
            return memory
        own: list[Tensor] = []

        def without_values(tensor: Tensor) -> Tensor:
            own.append(tensor)
            return tensor.to("meta")

        first = self._objects(mapped(memory, without_values))[0]
        sent = iter(own)
        agreed: Memory = mapped(
            first, lambda like: self.agreed(torch.empty_like(like, device=device) if self.rank else next(sent))
        )
        return agreed

    def _objects(self, own: Any) -> list[Any]:
        found: list[Any] = [None] * self.world_size
        distributed.all_gather_object(found, own)
        return found

    def _sum(self, part: WeightedSum) -> WeightedSum:
        values, total = part.sums.double().contiguous(), part.total.clone()
        distributed.all_reduce(values)
        distributed.all_reduce(total)
        return part._replace(values=values, total=total, factor=None)

    def _rows(self, own: Tensor, sizes: list[int]) -> Tensor:
        """The rows of all processes; exchanged at one size, which is that of the largest."""
        padded = own.new_zeros(max(sizes), own.shape[1])
        padded[: len(own)] = own
        found = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(found, padded)
        return torch.cat([rows[:size] for rows, size in zip(found, sizes, strict=True)])


def leave() -> None:
    """Ends the exchange between the processes of a finished run: none leaves while another still waits for it."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def _small(round: Round) -> dict[str, Any]:
    names = [name for name in BY_CLIENT if name not in WIDE]
    return {"num_dropped": round.num_dropped, **{name: getattr(round, name).cpu() for name in names}}
