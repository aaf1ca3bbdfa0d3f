"""What becomes of updates once they are sent: hooks of the server, what cannot be used, the rule and its memory."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Attack, PartialAggregate, Round
from flt.federation.hooks import MARKED, has_own
from flt.federation.memory import NOTHING
from flt.federation.returned import check_aggregate, check_asked, check_benign_kept, check_round, left_alone
from flt.functional import all_finite, finite_rows, median
from flt.functional.rows import OfRows, Rows
from flt.functional.trust import TrustShape
from flt.server.memories import Memories
from flt.server.processes import Processes
from flt.server.quiet import quiet

HOOKS = ("on_client_updates", "on_updates_received")


@dataclass
class Hearing:
    """Takes updates, wherever they were trained, through every hook to the rule.

    Args:
        rule: The aggregation rule.
        callbacks: Whose hooks are called, in this order.
        processes: Who shares the work.
        device: Device of the updates.
    """

    rule: Aggregation
    callbacks: Sequence[Callback]
    processes: Processes
    device: torch.device
    memories: Memories = field(init=False)
    _is_first: bool = field(init=False, default=True)
    _was_attacked: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.memories = Memories(self.callbacks, self.processes, self.device)

    def judged(self, sent: Round) -> tuple[Round, Aggregate | None]:
        """What the rule makes of a round that is there as a whole.

        Args:
            sent: The round as the clients have sent it.

        Returns:
            The round as the rule saw it, and the aggregate; None where nothing can be made of it.
        """
        with self.full_precision():
            round = self.receive(sent)
            return round, self.finish(round, self.fold(round))

    def fold(self, round: Round) -> PartialAggregate | None:
        """What the rule keeps of a part of a round, with the memory of earlier rounds."""
        with self._left_alone(self.rule, "fold", round):
            return self.rule.fold(self._with_memory(round))

    def finish(self, round: Round, total: PartialAggregate | None) -> Aggregate | None:
        """What the rule makes of a round in the end; None where that cannot be used.

        Args:
            round: The round; without updates if it came in parts.
            total: What `fold` has kept, of all parts together.
        """
        with self._left_alone(self.rule, "aggregate", round):
            aggregate = self.rule.finish(total, self._with_memory(round))
        usable = self._usable(self._checked(aggregate, round), round, total)
        self._is_first = False
        self._was_attacked = self._was_attacked or bool(round.malicious.any())
        return usable

    @cached_property
    def takes_parts(self) -> bool:
        """Whether rule and hooks can do with a part of a round at a time."""
        hooks = [getattr(callback, name, None) for callback in self.callbacks for name in MARKED]
        return self.rule.takes_parts and all(getattr(hook, "by_client", False) for hook in hooks if hook is not None)

    def full_precision(self) -> AbstractContextManager[Any]:
        """Where no sum is made in a lower precision than that of the updates."""
        device = self.device.type
        return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()

    def receive(self, round: Round) -> Round:
        """What reaches the rule of what the clients have trained."""
        if not len(round):
            return round
        return self._received(self._through("on_client_updates", round))

    def _received(self, round: Round, *, keeping: bool = True) -> Round:
        """What reaches the rule of what the clients have sent."""
        sent = _drop_unusable(round)
        received = self._through("on_updates_received", sent, keeping=keeping) if len(sent) else sent
        return sent if received is sent else _drop_unusable(received)

    @cached_property
    def _has_attack(self) -> bool:
        """Whether any callback changes what clients send, knowing all of it."""
        hooks = [getattr(each, name, None) for each in self.callbacks for name in ("on_client_updates", "craft")]
        return any(hook is not None and not getattr(hook, "by_client", False) for hook in hooks)

    @cached_property
    def _hooks(self) -> dict[str, list[tuple[Callback, Callable[[Round], Any]]]]:
        """The callbacks that have each hook of their own, in the order in which they are called."""
        return {name: [(each, getattr(each, name)) for each in self.callbacks if _has(each, name)] for name in HOOKS}

    @cached_property
    def shape(self) -> TrustShape | None:
        """FLTrust's settings where the rule is of that shape and gets the updates as the clients send them."""
        return None if self._hooks["on_updates_received"] else self.rule.trust_shape

    def _through(self, name: str, round: Round, *, keeping: bool = True) -> Round:
        """Passes a round through a hook of every callback, each with its own memory."""
        for callback, hook in self._hooks[name]:
            memory = self.memories.of(callback)
            given = round.replace(memory=memory) if memory else round
            if name == "on_client_updates" and self._has_attack:
                # Of the round as callbacks before this one have left it.
                given = given.replace(rule=OfRows(partial(self.asked, round), self.shape))
            with self._left_alone(callback, name, round):
                found = hook(given)
            if found is None:
                continue
            source = f"{type(callback).__name__}.{name}"
            found = check_round(source, found, round, may_drop=name == "on_updates_received")
            is_new = self._is_first or (not self._was_attacked and bool(round.malicious.any()))
            if is_new and isinstance(callback, Attack):
                check_benign_kept(source, found.updates, round)
            if found.memory is not given.memory and keeping:
                if self.takes_parts:
                    raise InputError(f"{source} is marked by_client and keeps a memory: leave out the mark")
                self.memories.keep(callback, found.memory)
            round = found.replace(memory=NOTHING, rule=round.rule)
        return round

    def asked(self, round: Round, rows: Rows) -> Tensor:
        """The aggregate of other updates than a round's: what an attack is told when it asks the rule."""
        check_asked(rows.updates, round)
        with quiet():
            imagined = self._with_memory(self._received(round.replace(updates=rows), keeping=False))
            with self._left_alone(self.rule, "aggregate", imagined):
                aggregate = self.rule.finish(self.rule.fold(imagined), imagined)
        if aggregate is None or not all_finite(aggregate.update):
            return rows.updates.new_zeros(rows.num_params)  # the server would skip such a round
        return aggregate.update

    @staticmethod
    def _left_alone(plugin: Callback, method: str, round: Round) -> AbstractContextManager[None]:
        """Refuses changes in place of what a plug-in is given of the clients."""
        tensors = (round.rows.updates, round.statistics, round.losses)
        return left_alone(f"{type(plugin).__name__}.{method}", f"the updates of round {round.number}", tensors)

    def _with_memory(self, round: Round) -> Round:
        memory = self.memories.of(self.rule)
        return round.replace(memory=memory) if memory else round

    def _checked(self, aggregate: Any, round: Round) -> Aggregate | None:
        source = f"{type(self.rule).__name__}.aggregate"
        num_params = len(round.parameters)
        return check_aggregate(source, aggregate, round, num_params=num_params, thorough=self._is_first)

    def _usable(self, aggregate: Aggregate | None, round: Round, total: PartialAggregate | None) -> Aggregate | None:
        """The aggregate, the same in every process; None if it holds a NaN or an infinity, or nothing at all.

        What a rule says nothing about, the statistics of batch normalisation, take their median. What it keeps for the
        next round is kept only with an aggregate that can be used.
        """
        if aggregate is None or (not len(round) and not aggregate.update.any()):
            return None
        if aggregate.statistics is None and len(round):
            has_rows = round.statistics.shape[1] > 0  # which a round that came in parts has not
            known = round.statistics if total is None or has_rows else total.statistics.mean()[None]
            aggregate = replace(aggregate, statistics=median(known))
        parts = {"update": aggregate.update, "statistics": aggregate.statistics}
        agreed: dict[str, Any] = {
            name: self.processes.agreed(part) for name, part in parts.items() if part is not None and len(part)
        }
        if not all(map(all_finite, agreed.values())):
            return None
        if aggregate.memory is not None:
            self.memories.keep(self.rule, aggregate.memory)
        return replace(aggregate, **agreed)


def _has(callback: Callback, name: str) -> bool:
    """Whether a callback has a hook that may do something: the one that every attack has is for what it crafts."""
    if isinstance(callback, Attack) and name == "on_client_updates":
        return callback.overrides("craft") or callback.overrides(name)
    return has_own(callback, name)


def _drop_unusable(round: Round) -> Round:
    """The round without the clients whose update or statistics hold a NaN or an infinity, which it counts."""
    if round.rows.all_finite and all_finite(round.statistics):
        return round
    rank_zero_warn("updates with a NaN or an infinity were dropped (column num_dropped counts them)")
    return round.keep(finite_rows(round.updates) & finite_rows(round.statistics))
