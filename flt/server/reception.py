"""What becomes of the clients' updates once they are trained: attack, clipping and the like, the rule."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.federation import Aggregate, Aggregation, FederatedCallback, PartialAggregate, Round, WeightedAggregation
from flt.federation.hooks import call_hook
from flt.functional import all_finite, finite_rows, median
from flt.server.cohort import Cohort
from flt.server.processes import Processes


@dataclass(frozen=True)
class Reception:
    """Takes the updates of a round through every hook to the rule, all at once or part by part.

    Args:
        cohort: Who trains them.
        rule: The aggregation rule.
        callbacks: Whose hooks are called.
        processes: Who shares the work.
    """

    cohort: Cohort
    rule: Aggregation
    callbacks: Sequence[Callback]
    processes: Processes

    def aggregate(self, number: int, client_lr: float) -> tuple[Round, Aggregate | None]:
        """Trains a round's clients and lets the rule judge them.

        Args:
            number: The round, counted from 0.
            client_lr: The clients' learning rate in it.

        Returns:
            The round as the rule saw it, and what the rule made of it; None where that cannot be used.
        """
        cohort, processes = self.cohort, self.processes
        share = -(-cohort.federation.clients_per_round // processes.world_size)
        size = min(share, cohort.clients_per_part) if self._takes_parts else share
        parts = cohort.in_parts(number, client_lr, clients_per_part=size, processes=processes)
        if self._takes_parts and (size < share or processes.world_size > 1):
            return self._fold(parts)
        return self._judge(next(parts))

    @cached_property
    def _takes_parts(self) -> bool:
        return isinstance(self.rule, WeightedAggregation) and all(map(_goes_client_by_client, self.callbacks))

    def _full_precision(self) -> AbstractContextManager[Any]:
        device = self.cohort.federation.clients.features.device.type
        return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()

    def _judge(self, part: Round) -> tuple[Round, Aggregate | None]:
        """Gives the rule all updates at once; ``part`` is what this process has trained."""
        with self._full_precision():
            round = self._receive(self.processes.joined(part))
            if not len(round) and isinstance(self.rule, WeightedAggregation):
                aggregate: Aggregate | None = self.rule.finish(PartialAggregate.of_nobody(round), round)
            else:
                aggregate = self.rule.aggregate(round) if len(round) else None
            return round, self._usable(aggregate, round.statistics if len(round) else None)

    def _fold(self, parts: Iterable[Round]) -> tuple[Round, Aggregate | None]:
        """Lets the rule fold one part after the other, each of which is trained when the one before is gone."""
        assert isinstance(self.rule, WeightedAggregation)
        total, rounds = None, []
        for part in parts:
            with self._full_precision():  # and not while the next part is trained
                folded, rest = self._fold_part(part)
                total = folded if total is None else total.plus(folded)
                rounds.append(rest)
            del part  # the next one takes its memory
        assert total is not None, "a process has at least one part, if an empty one"
        with self._full_precision():
            round, total = self.processes.joined(Round.joined(rounds)), self.processes.summed(total)
            aggregate = self.rule.finish(total, round)
            return round, self._usable(aggregate, total.statistics.mean()[None] if len(round) else None)

    def _fold_part(self, part: Round) -> tuple[PartialAggregate, Round]:
        """What is kept of a part, and the part without its updates."""
        assert isinstance(self.rule, WeightedAggregation)
        received = self._receive(part)
        folded = self.rule.fold(received) if len(received) else PartialAggregate.of_nobody(received)
        return folded, received.without_updates()

    def _usable(self, aggregate: Aggregate | None, statistics: Tensor | None) -> Aggregate | None:
        """The aggregate, the same in every process; None if it holds a NaN or an infinity, or nothing at all.

        Args:
            aggregate: What the rule made of the round, if anything.
            statistics: Clients' statistics, for a rule that says nothing about them; None if there are no clients.
        """
        if aggregate is None or (statistics is None and not aggregate.update.any()):
            return None
        if aggregate.statistics is None and statistics is not None:
            aggregate = replace(aggregate, statistics=median(statistics))
        parts = {"update": aggregate.update, "statistics": aggregate.statistics}
        known = {name: part for name, part in parts.items() if part is not None and len(part)}
        agreed: dict[str, Any] = {name: self.processes.agreed(part) for name, part in known.items()}
        return replace(aggregate, **agreed) if all(map(all_finite, agreed.values())) else None

    def _receive(self, round: Round) -> Round:
        """What reaches the rule of what the clients have trained."""
        if not len(round):
            return round
        sent = _drop_unusable(call_hook(self.callbacks, "on_client_updates", round))
        received = call_hook(self.callbacks, "on_updates_received", sent) if len(sent) else sent
        return sent if received is sent else _drop_unusable(received)


def _drop_unusable(round: Round) -> Round:
    """The round without the clients whose update or statistics hold a NaN or an infinity, which it counts."""
    if all_finite(round.updates) and all_finite(round.statistics):
        return round
    rank_zero_warn("updates with a NaN or an infinity were dropped (column num_dropped counts them)")
    return round.keep((finite_rows(round.updates) & finite_rows(round.statistics)).cpu())


def _goes_client_by_client(callback: Callback) -> bool:
    """Whether a round may come to the callback in parts."""
    classes = type(callback).__mro__

    def definer(name: str) -> int:
        return next((position for position, kind in enumerate(classes) if name in vars(kind)), len(classes))

    changes = min(definer(hook) for hook in ("on_client_updates", "on_updates_received", "craft"))
    if changes == len(classes) or classes[changes] is FederatedCallback:
        return True
    # What a class says of its own hooks is nothing about those of classes derived from it.
    return getattr(callback, "by_client", False) and definer("by_client") <= changes
