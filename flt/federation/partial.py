"""What is kept of a part of a round, where a round comes in parts."""

from __future__ import annotations

from dataclasses import dataclass

from flt.federation.judgement import Judgement
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
        # Pieces, not one tensor: joining each part to all before it would copy those again and again.
        judgements = (*self.judgements, *other.judgements)
        return PartialAggregate(self.updates.plus(other.updates), self.statistics.plus(other.statistics), judgements)

    @property
    def judgement(self) -> Judgement:
        """What the rule says of all clients, the weights as shares of the mean."""
        return Judgement.joined(self.judgements).shared_out(self.updates.divisor)
