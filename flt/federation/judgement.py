"""What a rule makes of each client of a round, a number for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Judgement:
    """A rule's judgement of each client; every tensor has shape ``[num_clients]``, None is what the rule does not say.

    Attributes:
        trust_scores: How far the rule trusts each client, such as the trust scores TS_i of FLTrust.
        weights: Each client's share of the aggregate: ``w_i / sum_j w_j``, where the aggregate is the mean of the
            updates (as the rule has rescaled them, if it does) with weights w_i. Shares of a mean add up to 1, less
            what the server's own update has in it; all are 0 where no client takes part. None for rules that go
            coordinate by coordinate.
        cosines: Cosine of each update with the root update, in [-1, 1].
        norm_ratios: Length of each update in lengths of the root update, ``|g_i| / |g_0|``; not finite where the root
            update is zero.
        kept: Whether the rule let the client take part, boolean; None where its weight says so, 0 for those left out.
        scores: The rule's own score of each client, such as the sum of distances of Krum; what it means, and whether
            more is better, is the rule's to say.
    """

    trust_scores: Tensor | None = None
    weights: Tensor | None = None
    cosines: Tensor | None = None
    norm_ratios: Tensor | None = None
    kept: Tensor | None = None
    scores: Tensor | None = None

    @property
    def takes_part(self) -> Tensor | None:
        """Which clients the rule lets take part, boolean; None for a rule that does not choose among them."""
        if self.kept is not None or self.weights is None:
            return self.kept
        return self.weights != 0

    @property
    def vectors(self) -> dict[str, Tensor]:
        """What the rule says, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def joined(cls, parts: Sequence[Judgement]) -> Judgement:
        """The judgement of the clients of all parts, in their order; parts that say nothing have no clients.

        Example:
            >>> parts = [Judgement(weights=torch.ones(1)), Judgement(), Judgement(weights=torch.zeros(2))]
            >>> Judgement.joined(parts).weights
            tensor([1., 0., 0.])
        """
        if len(parts) == 1:  # as in every round that is there as a whole
            return parts[0]
        said = [vectors for part in parts if (vectors := part.vectors)]
        if not said:
            return cls()
        return cls(**{name: torch.cat([vectors[name] for vectors in said]) for name in said[0]})

    def shared_out(self, divisor: Tensor) -> Judgement:
        """The same with the weights w_i divided by a scalar."""
        if self.weights is None:
            return self
        return replace(self, weights=self.weights / divisor)

    def to(self, device: torch.device | str) -> Judgement:
        """The same on a device."""
        return Judgement(**{name: vector.to(device) for name, vector in self.vectors.items()})
