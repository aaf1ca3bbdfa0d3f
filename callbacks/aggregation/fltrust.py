"""FLTrust and its variants as a callback."""

from dataclasses import replace
from typing import Literal

import torch
from lightning.pytorch.utilities import rank_zero_warn

from flt.errors import check_choice
from flt.federation import Aggregate, Judgement, PartialAggregate, Round, WeightedAggregation
from flt.functional.aggregation.fltrust import Rescale, fltrust_weights, root_sum
from flt.functional.weighted_sum import WeightedSum

Variant = Literal["FLTrust", "Server", "withServer", "NoReLU", "NoNorm", "ParNorm"]


class FLTrust(WeightedAggregation):
    """Mean of the rescaled updates, weighted by their cosine with the update on the server's root dataset.

    Args:
        variant: "FLTrust" itself or one of the paper's Table IV: "Server" (the root update alone), "withServer" (the
            root update joins the mean with trust score 1), "NoReLU" (negative cosines count), "NoNorm" (no rescaling),
            "ParNorm" (only updates longer than the root update are rescaled).

    Raises:
        InputError: If ``variant`` is none of these.

    Reference:
        Cao et al., FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping, NDSS 2021.
    """

    needs_root_update = True

    def __init__(self, variant: Variant = "FLTrust") -> None:
        check_choice("aggregation.variant", variant, Variant)
        self.variant: Variant = variant

    @property
    def label(self) -> str:
        """The variant's name in the paper's Table IV."""
        return "FLTrust" if self.variant == "FLTrust" else f"FLTrust-{self.variant}"

    @property
    def _rescale(self) -> Rescale:
        if self.variant == "NoNorm":
            return "none"
        return "longer" if self.variant == "ParNorm" else "all"

    def fold(self, round: Round) -> PartialAggregate:
        """Weighs a part of the updates; see `flt.functional.aggregation.fltrust`."""
        root_update = round.require_root_update()
        weights = fltrust_weights(round.updates, root_update, relu=self.variant != "NoReLU", rescale=self._rescale)
        if self.variant == "FLTrust" and not weights.lengths.all() and weights.trust_scores.any():
            rank_zero_warn("FLTrust: an update was zero in a round; its trust score is 0")
        share = 1.0 / round.federation.clients_per_round
        counts = weights.trust_scores.double() * share
        norm_ratios = weights.lengths / weights.root_norm
        judgement = Judgement(weights.trust_scores, counts, weights.cosines, norm_ratios)
        statistics = WeightedSum.of(round.statistics, counts)
        return PartialAggregate(weights.weighted(round.updates, counts), statistics, (judgement,))

    def finish(self, total: PartialAggregate, round: Round) -> Aggregate:
        """Adds the root update where it takes part, and divides."""
        root_update, root_statistics = round.require_root_update(), round.require_root_statistics()
        judgement = total.judgement
        scores = judgement.trust_scores
        if scores is None or not scores.any():
            if not root_update.isfinite().all():  # which nobody agrees with; there is nothing to judge by
                return Aggregate(root_update, root_statistics, judgement)
            if not root_update.any():
                rank_zero_warn("FLTrust: the root update was zero in a round, and so is its aggregate")
            elif scores is not None and self.variant != "Server":
                rank_zero_warn("FLTrust: every trust score was 0 in a round; no client takes part in its aggregate")
        if self.variant == "Server":
            nothing = None if judgement.weights is None else torch.zeros_like(judgement.weights)
            return Aggregate(root_update, root_statistics, replace(judgement, weights=nothing))
        if self.variant == "withServer":
            root = root_sum(root_update, 1.0 / round.federation.clients_per_round)
            statistics = WeightedSum.of(root_statistics[None], root.total[None])
            total = total.plus(PartialAggregate(root, statistics))
            judgement = total.judgement
        return Aggregate(total.updates.mean(), total.statistics.mean(), judgement)
