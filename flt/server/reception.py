"""A round on the server: its clients are trained, all at once or part by part, and what they send is judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from lightning.pytorch import Callback, Trainer

from flt.federation import Aggregate, Aggregation, Attack, PartialAggregate, Round
from flt.federation.plugins import only_of
from flt.server.cohort import Cohort
from flt.server.hearing import Hearing
from flt.server.local_work import Attackers
from flt.server.memories import Memories
from flt.server.processes import Processes


@dataclass
class Reception:
    """Takes the updates of a round through every hook to the rule, all at once or part by part.

    Args:
        cohort: Who trains them.
        rule: The aggregation rule.
        callbacks: Whose hooks are called, in this order.
        processes: Who shares the work.
    """

    cohort: Cohort
    rule: Aggregation
    callbacks: Sequence[Callback]
    processes: Processes
    hearing: Hearing = field(init=False)

    def __post_init__(self) -> None:
        device = self.cohort.federation.clients.features.device
        self.hearing = Hearing(self.rule, self.callbacks, self.processes, device)

    @property
    def memories(self) -> Memories:
        """What each plug-in has kept."""
        return self.hearing.memories

    def aggregate(self, number: int, client_lr: float) -> tuple[Round, Aggregate | None]:
        """Trains a round's clients and lets the rule judge them.

        Args:
            number: The round, counted from 0.
            client_lr: The clients' learning rate in it.

        Returns:
            The round as the rule saw it, and what the rule made of it; None where that cannot be used.

        Raises:
            InputError: If a plug-in returns what it should not.
        """
        cohort, processes, hearing = self.cohort, self.processes, self.hearing
        share = -(-cohort.federation.clients_per_round // processes.world_size)
        size = min(share, cohort.clients_per_part) if self.takes_parts else share
        is_whole = not self.takes_parts or (size == share and processes.world_size == 1)
        total: PartialAggregate | None = None
        received = []
        attackers = None if self._trainer is None else self._prepared(self._trainer, number, client_lr)
        parts = cohort.in_parts(number, client_lr, clients_per_part=size, processes=processes, attackers=attackers)
        for part in parts:
            with hearing.full_precision():  # and not while the next part is trained
                arrived = hearing.receive(processes.joined(part) if is_whole else part)
                folded = hearing.fold(arrived)
                total = folded if total is None or folded is None else total.add_(folded)
                received.append(arrived if is_whole else arrived.without_updates())
            del part, arrived  # the next one takes their memory
        with hearing.full_precision():
            round = received[0] if is_whole else processes.joined(Round.joined(received))
            if not is_whole and total is not None:
                total = processes.summed(total)
            return round, hearing.finish(round, total)

    def end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """Tells every callback of a round whose step the global model has taken."""
        for callback in self.callbacks:
            if hasattr(callback, "on_round_end"):
                callback.on_round_end(trainer, round, aggregate)

    @property
    def takes_parts(self) -> bool:
        """Whether rule and hooks can do with a part of a round at a time."""
        return self.hearing.takes_parts

    @cached_property
    def _trainer(self) -> Attack | None:
        """The attack, if its malicious clients train in their own way."""
        attack = only_of(self.callbacks, Attack)
        if attack is None or not self.cohort.federation.num_malicious:
            return None
        return attack if attack.overrides("prepare") or attack.overrides("train") else None

    def _prepared(self, attack: Attack, number: int, client_lr: float) -> Attackers:
        """Lets an attack prepare the round, before anyone trains."""
        work = self.cohort.work_of_attackers(number, client_lr, self.memories.of(attack))
        kept = attack.prepare(work)
        if kept is not None:
            self.memories.keep(attack, kept)
        return Attackers(attack, replace(work, memory=self.memories.of(attack)))
