"""How a rule of FLTrust's shape weighs a client by its angle to the root update, and how long its update may be."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Score = Literal["relu", "signed", "equal", "none"]
Magnitude = Literal["root", "at_most_root", "own"]


class TrustShape(NamedTuple):
    """FLTrust and its variants: the mean of updates with a trust score by their cosine, and lengths by the root's.

    Attributes:
        score: "relu" trusts a cosine as it is and negative ones not at all, "signed" weighs by those too, "equal"
            trusts all clients the same, "none" no client.
        magnitude: "root" brings every update to the length of the root update, "at_most_root" shortens longer ones,
            "own" leaves them.
        include_root: Whether the root update joins the mean with trust score 1.
        least_cosine: The cosine c up to which "relu" trusts nobody; beyond it the score is ``(cosine - c) / (1 - c)``.
    """

    score: Score = "relu"
    magnitude: Magnitude = "root"
    include_root: bool = False
    least_cosine: float = 0.0

    def scores(self, cosines: Tensor) -> Tensor:
        """Trust scores of clients with these cosines, of any shape.

        Example:
            >>> TrustShape(least_cosine=0.5).scores(torch.tensor([-1.0, 0.5, 0.75, 1.0]))
            tensor([0.0000, 0.0000, 0.5000, 1.0000])
        """
        if self.score == "none":
            return torch.zeros_like(cosines)
        if self.score == "equal":
            return torch.ones_like(cosines)
        if self.score == "relu" and self.least_cosine:
            return ((cosines - self.least_cosine) / (1.0 - self.least_cosine)).clamp(min=0.0)
        return cosines.clamp(min=0.0) if self.score == "relu" else cosines

    def lengths(self, ratios: Tensor) -> Tensor:
        """Lengths to which updates are brought, in lengths of the root update; zero ones stay zero.

        Args:
            ratios: The updates' own lengths in those of the root update, of any shape.

        Example:
            >>> TrustShape(magnitude="at_most_root").lengths(torch.tensor([0.0, 0.5, 4.0]))
            tensor([0.0000, 0.5000, 1.0000])
        """
        if self.magnitude == "root":
            return (ratios > 0).to(ratios)
        return ratios.clamp(max=1.0) if self.magnitude == "at_most_root" else ratios


FLTRUST = TrustShape()
"""FLTrust as it is published."""
