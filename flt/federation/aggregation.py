"""Base classes of the aggregation rules."""

from __future__ import annotations

from abc import ABC, abstractmethod

from flt.federation.hooks import FederatedCallback
from flt.federation.partial import PartialAggregate
from flt.federation.round import Aggregate, Federation, Round


class Aggregation(FederatedCallback, ABC):
    """Base class of the aggregation rules: one method from a round to its aggregate.

    Updates with a NaN or an infinity are removed before; at least one client is left.
    """

    @abstractmethod
    def aggregate(self, round: Round) -> Aggregate:
        """The rule."""

    def describe(self, federation: Federation) -> str:
        """The rule and the settings it takes from the federation, for people."""
        return self.label

    def check(self, federation: Federation) -> None:
        """Raises an `InputError` if the rule's settings do not fit the federation; called before the first round."""

    def on_federation(self, federation: Federation) -> None:
        """Checks the settings."""
        self.check(federation)


class WeightedAggregation(Aggregation):
    """Base class of rules that are a weighted mean, each client's weight depending on nothing but its own update.

    Such a rule holds one part of a round's updates at a time, so that memory does not bound the number of clients.
    """

    @abstractmethod
    def fold(self, round: Round) -> PartialAggregate:
        """What is kept of a part of a round's clients."""

    def finish(self, total: PartialAggregate, round: Round) -> Aggregate:
        """The aggregate of all parts together; ``round`` has everything but the updates and their statistics."""
        return Aggregate(total.updates.mean(), total.statistics.mean(), total.judgement)

    def aggregate(self, round: Round) -> Aggregate:
        """The rule on a round that is there as a whole."""
        return self.finish(self.fold(round), round)
