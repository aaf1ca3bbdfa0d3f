"""What a rule of FLTrust's shape makes of a round's benign clients: all that bounds on the malicious ones depend on."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from flt.functional.distances import cosines_of_length, norms
from flt.functional.rows import Rows, is_too_small
from flt.functional.trust import FLTRUST, TrustShape


class BenignMean(NamedTuple):
    """The mean mu of the benign updates as the rule weighs and scales them, in lengths of the root update g_0.

    Where the root update takes part in the rule's mean, it is in this one as well.

    Attributes:
        shape: The rule's settings.
        trust: Trust that they have together, C.
        along: What the mean has along e_0, the root update's direction; 0 where nobody is trusted.
        across: Length of the rest of it, p; NaN where the updates are not known.
        vector: The mean, float64 of shape ``[num_params]``; None where the updates are not known.
    """

    shape: TrustShape
    trust: float
    along: float
    across: float
    vector: Tensor | None = None

    @classmethod
    def of(cls, updates: Tensor, root_update: Tensor, shape: TrustShape = FLTRUST) -> BenignMean:
        """The mean of benign updates of shape ``[num_benign, num_params]``; ``root_update`` is not zero.

        Example:
            >>> BenignMean.of(torch.tensor([[3.0, 4.0], [0.0, -1.0]]), torch.tensor([2.0, 0.0])).vector
            tensor([0.6000, 0.8000], dtype=torch.float64)
        """
        lengths, root_norm = norms(updates), norms(root_update[None])[0]
        cosines = cosines_of_length(updates, lengths, root_update, root_norm)
        return cls.judged(cosines, lengths / root_norm, shape, Rows(updates), root_update)

    @classmethod
    def judged(
        cls,
        cosines: Tensor,
        ratios: Tensor,
        shape: TrustShape,
        rows: Rows | None = None,
        root_update: Tensor | None = None,
    ) -> BenignMean:
        """The mean of updates that the rule has judged.

        Args:
            cosines: Their cosines with the root update, shape ``[num_clients]``; NaN for clients that are not benign.
            ratios: Their lengths in those of the root update, shape ``[num_clients]``.
            shape: The rule's settings.
            rows: The updates of all of them; None where they are not known.
            root_update: Shape ``[num_params]``; is there whenever ``rows`` are.
        """
        cosines, ratios = cosines.double(), ratios.double()
        weights = torch.where(cosines.isnan() | (ratios == 0), 0.0, shape.scores(cosines))
        lengths = shape.lengths(ratios)
        sums = torch.stack([weights.sum(), torch.where(weights != 0, weights * lengths * cosines, 0.0).sum()]).tolist()
        trust, pull = (each + shape.include_root for each in sums)
        along = pull / trust if trust else 0.0
        if rows is None or root_update is None:
            return cls(shape, trust, along, math.nan)
        root_norm = torch.linalg.vector_norm(root_update, dtype=torch.float64)
        root = root_update.double() / root_norm
        factors = torch.where(weights != 0, weights * lengths / ratios, 0.0)
        total = rows.weighted_sum(factors, weights, exact=is_too_small(factors)).sums.double() / root_norm
        vector = ((total + root) if shape.include_root else total) / (trust or math.inf)
        return cls(shape, trust, along, float(torch.linalg.vector_norm(vector - along * root)), vector)

    @property
    def length(self) -> float:
        """The length of the mean, in lengths of the root update."""
        return math.hypot(self.along, self.across)
