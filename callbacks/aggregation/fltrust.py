"""FLTrust and its variants as a callback."""

from typing import Literal

from lightning.pytorch.utilities import rank_zero_warn

from flt.errors import InputError, check_choice
from flt.federation import Aggregate, Judgement, PartialAggregate, Round, Streaming
from flt.functional.aggregation.fltrust import check_trust_shape, fltrust_sum, root_sum
from flt.functional.trust import Magnitude, Score, TrustShape
from flt.functional.weighted_sum import WeightedSum

Variant = Literal["FLTrust", "Server", "withServer", "NoReLU", "NoNorm", "ParNorm"]
VARIANTS: dict[tuple[Score, Magnitude, bool], Variant] = {
    ("relu", "root", False): "FLTrust",
    ("none", "root", True): "Server",
    ("relu", "root", True): "withServer",
    ("signed", "root", False): "NoReLU",
    ("relu", "own", False): "NoNorm",
    ("relu", "at_most_root", False): "ParNorm",
}
"""The names of the paper's Table IV."""


class FLTrust(Streaming):
    """Mean of the rescaled updates, weighted by their cosine with the update on the server's root dataset.

    Args:
        score: Trust score of a client: "relu" is its cosine with the root update, negative ones counting as 0; "signed"
            the cosine itself; "equal" is 1, so that no attacker can have more weight than a benign client, while half
            of the clients and more turn the aggregate around; "none" counts no client.
        magnitude: Length to which updates are brought: "root" is that of the root update, "at_most_root" shortens only
            what is longer, "own" leaves them.
        include_root: Whether the root update joins the mean with trust score 1.
        variant: All three by a name of the paper's Table IV: "FLTrust", "Server" (the root update alone), "withServer",
            "NoReLU", "NoNorm" or "ParNorm"; null is what they say themselves.
        least_cosine: The cosine c up to which the score "relu" trusts nobody, 0 in the paper, less than 1; beyond it a
            client's score is ``(cosine - c) / (1 - c)``.

    Raises:
        InputError: If an argument is none of these, ``variant`` contradicts the others, ``least_cosine`` is out of
            range or has no effect, or nobody would count.

    Reference:
        Cao et al., FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping, NDSS 2021.
    """

    needs_root_update = True

    def __init__(
        self,
        score: Score = "relu",
        magnitude: Magnitude = "root",
        include_root: bool = False,
        variant: Variant | None = None,
        least_cosine: float = 0.0,
    ) -> None:
        if variant is not None:
            check_choice("aggregation.variant", variant, Variant)
            settings = next(settings for settings, name in VARIANTS.items() if name == variant)
            if (score, magnitude, include_root) not in (("relu", "root", False), settings):
                raise InputError(f"aggregation.variant={variant} stands for score, magnitude and include_root: drop it")
            score, magnitude, include_root = settings
        if score == "none" and not include_root:
            raise InputError("aggregation.score=none counts no client: set aggregation.include_root=true")
        check_trust_shape(TrustShape(score, magnitude, include_root, least_cosine), "aggregation.")
        self.score: Score = score
        self.magnitude: Magnitude = magnitude
        self.include_root = include_root
        self.least_cosine = least_cosine

    @property
    def trust_shape(self) -> TrustShape:
        """The four settings."""
        return TrustShape(self.score, self.magnitude, self.include_root, self.least_cosine)

    @property
    def label(self) -> str:
        """The name in the paper's Table IV, where it has one."""
        settings = (self.score, self.magnitude, self.include_root)
        least = f", least cosine {self.least_cosine:g}" if self.least_cosine else ""
        if settings in VARIANTS:
            name = VARIANTS[settings]
            return ("FLTrust" if name == "FLTrust" else f"FLTrust-{name}") + least
        root = ", with root" if self.include_root else ""
        return f"FLTrust, score {self.score}, magnitude {self.magnitude}{root}{least}"

    def fold(self, round: Round) -> PartialAggregate:
        """Weighs a part of the updates; see `flt.functional.fltrust`."""
        weighed = fltrust_sum(round.rows, round.require_root_update(), _share(round), self.trust_shape)
        scores = weighed.trust_scores
        if self.score == "relu" and not weighed.lengths.all() and scores.any():
            rank_zero_warn("FLTrust: an update was zero in a round; its trust score is 0")
        norm_ratios = weighed.lengths / weighed.root_norm
        judgement = Judgement(scores, weighed.weights, weighed.cosines, norm_ratios)
        statistics = WeightedSum.of(round.statistics, weighed.weights)
        return PartialAggregate(weighed.total, statistics, (judgement,))

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate:
        """Adds the root update where it takes part, and divides."""
        assert total is not None, "a rule that takes parts keeps something of each"
        root_update, root_statistics = round.require_root_update(), round.require_root_statistics()
        judgement = total.judgement
        nobody_counts = judgement.trust_scores is None or not judgement.trust_scores.any()
        if nobody_counts:
            if not root_update.isfinite().all():  # a NaN has no cosine with anybody; the server skips the round
                return Aggregate(root_update, root_statistics, judgement)
            if not root_update.any():
                rank_zero_warn("FLTrust: the root update was zero in a round, and so is its aggregate")
            elif len(round) and self.score != "none":
                rank_zero_warn("FLTrust: every trust score was 0 in a round; no client takes part in its aggregate")
        if self.include_root:
            if nobody_counts:  # alone, the root update is the mean
                return Aggregate(root_update, root_statistics, judgement)
            root = root_sum(root_update, _share(round))
            total = total.plus(PartialAggregate(root, WeightedSum.of(root_statistics[None], root.total[None])))
            judgement = total.judgement  # its weights are shares of more
        return Aggregate(total.updates.mean(), total.statistics.mean(), judgement)


def _share(round: Round) -> float:
    """A client's share of the sum, which keeps it below the longest summand."""
    return 1.0 / round.federation.clients_per_round
