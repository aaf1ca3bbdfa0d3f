"""Base classes of the aggregation rules: one for any rule, and three shapes that most rules have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from flt.federation.hooks import FederatedCallback
from flt.federation.judgement import Judgement
from flt.federation.returned import check_weights
from flt.federation.round import Aggregate, Federation, Round
from flt.functional.distances import all_finite
from flt.functional.trust import TrustShape
from flt.functional.weighted_sum import WeightedSum


@dataclass(frozen=True)
class PartialAggregate:
    """What a rule keeps of a part of a round's clients.

    Attributes:
        updates: Their weighted updates.
        statistics: Their weighted statistics of batch normalisation.
        judgements: What the rule says of each of them, in pieces that follow one another; weights are those in the
            sum of the updates, not yet divided by their total.
    """

    updates: WeightedSum
    statistics: WeightedSum
    judgements: tuple[Judgement, ...] = ()

    def plus(self, other: PartialAggregate) -> PartialAggregate:
        """The same of both parts together, the other's clients last."""
        return self._with(other, WeightedSum.plus)

    def add_(self, other: PartialAggregate) -> PartialAggregate:
        """The same where nobody else has this part: its sums may be written over."""
        return self._with(other, WeightedSum.add_)

    def _with(
        self, other: PartialAggregate, add: Callable[[WeightedSum, WeightedSum], WeightedSum]
    ) -> PartialAggregate:
        # Pieces, not one tensor: joining each part to all before it would copy those again and again.
        judgements = (*self.judgements, *other.judgements)
        return PartialAggregate(add(self.updates, other.updates), add(self.statistics, other.statistics), judgements)

    @property
    def judgement(self) -> Judgement:
        """What the rule says of all clients, the weights as shares of the mean."""
        return Judgement.joined(self.judgements).shared_out(self.updates.divisor)


class Aggregation(FederatedCallback, ABC):
    """Base class of the aggregation rules: one method from a round to its aggregate.

    Updates with a NaN or an infinity are removed before; at least one client is left. A rule is a function: what it has
    to remember it is given as ``round.memory``, and it gives what it keeps to the `Aggregate`. The engine asks a rule
    by `fold` and `finish`, which only rules that take a round in parts override.
    """

    takes_parts: ClassVar[bool] = False
    """Whether a round may come to `fold` in parts, so that memory does not bound the number of clients."""

    needs_single_clients: ClassVar[bool] = False
    """Whether each row has to stand for one client, whose own data the rule holds its update against."""

    needs_whole_updates: ClassVar[bool] = False
    """Whether nothing can be made of some of the coordinates alone; so it is with ``needs_root_data`` in any case."""

    @abstractmethod
    def aggregate(self, round: Round) -> Aggregate:
        """The rule."""

    def fold(self, round: Round) -> PartialAggregate | None:
        """What is kept of a part of a round's clients; None for a rule that gets the whole round in `finish`."""

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate | None:
        """The aggregate of a round; None if nothing can be made of it.

        Args:
            total: What `fold` has kept, of all parts together.
            round: The round; without updates and statistics if it came in parts.
        """
        return self.aggregate(round) if len(round) and self.has_root(round) else None

    def has_root(self, round: Round) -> bool:
        """Whether the root update, if the rule needs it, is finite; else nothing can be made of a round."""
        return not self.needs_root_update or all_finite(round.require_root_update())

    @property
    def trust_shape(self) -> TrustShape | None:
        """How a rule of FLTrust's shape weighs and scales the updates; None for any other rule.

        Where a rule says it, attacks that know the rule find their optimum without asking it, and its guarantees can be
        computed (`flt.functional.guaranteed_progress`).
        """
        return None

    def kappa_bound(self, round: Round) -> float | None:
        """The published kappa of its (f, kappa)-robustness for a round like this one.

        None where there is none, or where more attack than the rule tolerates; see `flt.functional.realised_kappa`.
        """
        return None

    def describe(self, federation: Federation) -> str:
        """The rule and the settings it takes from the federation, for people."""
        return self.label

    def check(self, federation: Federation) -> None:
        """Raises an `InputError` if the rule's settings do not fit the federation; called before the first round."""

    def on_federation(self, federation: Federation) -> Federation | None:
        """Checks the settings."""
        self.check(federation)
        return None


class ClientWeights(Aggregation):
    """Shape of rules that weigh each client: the aggregate is the weighted mean of the updates.

    Most of them need nothing of the updates but ``round.rows.gram``, their inner products, which are computed once.
    """

    @abstractmethod
    def weigh(self, round: Round) -> Tensor:
        """What each client counts in the mean, shape ``[num_clients]``."""

    def aggregate(self, round: Round) -> Aggregate:
        """The mean with the weights of `weigh`."""
        weights = check_weights(f"{type(self).__name__}.weigh", self.weigh(round), round)
        return Aggregate.mean_of(round, weights)


class Coordinatewise(Aggregation):
    """Shape of rules that go coordinate by coordinate."""

    @abstractmethod
    def columns(self, values: Tensor, round: Round) -> Tensor:
        """The aggregate of each column of ``values``, ``[num_clients, num_columns]`` to ``[num_columns]``."""

    def aggregate(self, round: Round) -> Aggregate:
        """The rule on the updates, and on the statistics of batch normalisation."""
        update = round.rows.by_columns(lambda values: self.columns(values, round))
        if not round.statistics.shape[1]:  # not every function takes no columns
            return Aggregate(update, statistics=round.statistics.new_zeros(0))
        return Aggregate(update, statistics=self.columns(round.statistics, round))


class Streaming(Aggregation):
    """Shape of rules that are a weighted mean, each client's weight depending on nothing but its own update.

    Such a rule holds one part of a round's updates at a time.
    """

    takes_parts = True

    def __init_subclass__(cls, **settings: Any) -> None:
        """Refuses an ``aggregate`` that nobody would call: the engine asks such a rule by `fold` and `finish`."""
        super().__init_subclass__(**settings)
        if "aggregate" in vars(cls):
            raise TypeError(f"{cls.__name__} overrides aggregate of a Streaming rule: override fold and finish")

    @abstractmethod
    def fold(self, round: Round) -> PartialAggregate:
        """What is kept of a part of a round's clients, of which there may be none."""

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate | None:
        """The mean over all parts."""
        assert total is not None, "a rule that takes parts keeps something of each"
        if not self.has_root(round):
            return None
        return Aggregate(total.updates.mean(), total.statistics.mean(), total.judgement)

    def aggregate(self, round: Round) -> Aggregate:
        """The rule on a round that is there as a whole."""
        aggregate = self.finish(self.fold(round), round)
        assert aggregate is not None, "there is a mean even of nobody; without a root update the engine asks by finish"
        return aggregate
