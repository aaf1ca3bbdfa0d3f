"""Base class of rules that ask another rule."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from flt.errors import InputError
from flt.federation.aggregation import Aggregation
from flt.federation.memory import NOTHING
from flt.federation.partial import PartialAggregate
from flt.federation.returned import check_aggregate
from flt.federation.round import Aggregate, Federation, Round


class RuleAround(Aggregation):
    """A rule around a rule: it asks the inner rule, of this round or another, and makes something of the answer.

    The inner rule's settings are checked against what it will see, and its memory lies within that of the outer one.

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

    def inside(self, federation: Federation) -> Federation:
        """The federation as the inner rule sees it; the same, unless overridden."""
        return federation

    def describe(self, federation: Federation) -> str:
        """The outer rule, and the inner one with the settings that it takes from the federation."""
        return f"{type(self).__name__}({self.rule.describe(self.inside(federation))})"

    def check(self, federation: Federation) -> None:
        """Checks the inner rule against the rows that it will see."""
        try:
            self.rule.check(self.inside(federation))
        except InputError as error:  # which names the setting as that of an outermost rule
            raise InputError(str(error).replace("aggregation.", "aggregation.rule.", 1)) from error

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
            round: What the inner rule is to see, with this rule's own memory.
        """
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
        if found is None or found.memory is None:
            return found
        return replace(found, memory={"rule": found.memory})
