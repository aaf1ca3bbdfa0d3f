"""Base class of rules that ask another rule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

from lightning.pytorch import Trainer

from flt.errors import InputError
from flt.federation.aggregation import Aggregation, PartialAggregate
from flt.federation.hooks import by_client, has_own
from flt.federation.memory import NOTHING
from flt.federation.returned import check_aggregate, check_round
from flt.federation.round import Aggregate, Federation, Round


class RuleAround(Aggregation):
    """A rule around a rule: it asks the inner rule, of this round or another, and makes something of the answer.

    The inner rule's settings are checked against what it will see, and its memory lies within that of the outer one.
    Its hooks are called as if it stood alone: `on_federation` and `on_updates_received` with what it sees,
    `on_client_updates` and `on_round_end` with the clients' round, and those of Lightning.

    Args:
        rule: The inner rule.
    """

    def __init__(self, rule: Aggregation) -> None:
        if not isinstance(rule, Aggregation):
            raise InputError(f"aggregation.rule={rule!r} is no aggregation rule: name one, such as Median")
        self.rule = rule
        self.needs_root_update = rule.needs_root_update or type(self).needs_root_update
        self.needs_root_data = rule.needs_root_data or type(self).needs_root_data

    @property
    def label(self) -> str:
        """Both names, the inner rule's in brackets."""
        return f"{type(self).__name__}({self.rule.label})"

    @property
    def rows_are_clients(self) -> bool:
        """Whether each row that the inner rule sees stands for one client; unless overridden, it does."""
        return True

    @property
    def inner_rules(self) -> Iterator[Aggregation]:
        """The rules inside, the innermost last."""
        rule: Aggregation = self
        while isinstance(rule, RuleAround):
            rule = rule.rule
            yield rule

    def inside(self, federation: Federation) -> Federation:
        """The federation as the inner rule sees it; the same, unless overridden."""
        return federation

    def describe(self, federation: Federation) -> str:
        """The outer rule, and the inner one with the settings that it takes from the federation."""
        return f"{type(self).__name__}({self.rule.describe(self.inside(federation))})"

    def check(self, federation: Federation) -> None:
        """Checks the inner rule against the rows that it will see."""
        for rule in self.inner_rules:
            if rule.needs_single_clients and not self.rows_are_clients:
                raise InputError(
                    f"{type(self).__name__} puts several clients into a row, and {rule.label} compares each client's"
                    " update with that client's own data: take another rule inside"
                )
        try:
            self.rule.check(self.inside(federation))
        except InputError as error:  # which names the setting as that of an outermost rule
            raise InputError(str(error).replace("aggregation.", "aggregation.rule.", 1)) from error

    def on_federation(self, federation: Federation) -> Federation | None:
        """Checks the settings, and passes the federation on to the inner rules as they see it."""
        self.check(federation)
        return self._told(federation)

    def _told(self, federation: Federation) -> Federation | None:
        given = self.inside(federation)
        if isinstance(self.rule, RuleAround):  # whose settings are checked with those of this one
            changed = self.rule._told(given)
        else:
            changed = self.rule.on_federation(given) if has_own(self.rule, "on_federation", Aggregation) else None
        if changed is None:
            return None
        return changed.replace(num_rows=federation.num_rows, num_byzantine=federation.num_byzantine)

    @by_client
    def on_client_updates(self, round: Round) -> Round | None:
        """What the inner rule makes of what the clients send."""
        return self._passed("on_client_updates", round)

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        """Tells the inner rule of the clients' round, and of what this rule has made of it."""
        memory = None if aggregate.memory is None else aggregate.memory.get("rule")
        self.rule.on_round_end(trainer, round, replace(aggregate, memory=memory))

    def _passed(self, name: str, round: Round) -> Round | None:
        """What a hook of the inner rule makes of a round, with the inner rule's part of the memory."""
        if not has_own(self.rule, name):
            return None
        given = round.replace(memory=round.memory.get("rule", NOTHING))
        found = getattr(self.rule, name)(given)
        if found is None:
            return None
        found = check_round(f"{type(self.rule).__name__}.{name}", found, given, may_drop=False)
        memory = round.memory if found.memory is given.memory else {**round.memory, "rule": found.memory}
        return found.replace(memory=memory)

    @abstractmethod
    def apply(self, round: Round) -> Aggregate | None:
        """What this rule makes of a round that has clients; None if nothing can be made of it."""

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate | None:
        """Applies the rule to a round that is there as a whole."""
        return self.apply(round) if len(round) else None

    def aggregate(self, round: Round) -> Aggregate:
        """Applies the rule to a round of which something can be made."""
        aggregate = self.apply(round)
        assert aggregate is not None, "the inner rule makes nothing of the round; the engine asks by finish"
        return aggregate

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """What the inner rule keeps."""
        return self.rule.numbers_kept(self.inside(federation), num_params)

    def ask(self, round: Round) -> Aggregate | None:
        """What the inner rule makes of a round; what it keeps, the answer holds as ``memory`` of this rule.

        Args:
            round: What the inner rule is to see, with this rule's own memory. The inner rule's hook
                `on_updates_received` gets it first, as the engine would have it; it keeps every row.
        """
        before = round.memory
        round = self._passed("on_updates_received", round) or round
        given = round.replace(
            memory=round.memory.get("rule", NOTHING), federation=self.inside(round.federation), updates=round.rows
        )
        found = check_aggregate(
            f"{type(self.rule).__name__}.aggregate",
            self.rule.finish(self.rule.fold(given), given),
            given,
            num_params=given.rows.num_params,
            thorough=False,
        )
        if found is None or (found.memory is None and round.memory is before):
            return found
        return replace(found, memory=dict(round.memory) if found.memory is None else {"rule": found.memory})
