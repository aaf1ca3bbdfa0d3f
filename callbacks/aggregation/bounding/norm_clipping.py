"""Norm clipping as a callback."""

from dataclasses import replace

import torch

from callbacks.aggregation.fedavg import equal_shares
from flt.errors import check_not_negative, check_positive
from flt.federation import Aggregate, Federation, Judgement, PartialAggregate, Round, Streaming
from flt.functional.aggregation.norm_bounded_mean import norm_bounded_sum
from flt.functional.weighted_sum import WeightedSum


class NormClipping(Streaming):
    """The mean of updates that are shortened to a largest length, all clients counting alike, and noise on it.

    Args:
        max_norm: That length (C). There is no value for all networks: the norms of honest updates are in
            ``metrics.csv``; others take from 0.1 to 5.
        noise_std: Standard deviation of the normal noise that is added once to every entry of the aggregate (sigma):
            weak differential privacy.

    Raises:
        InputError: If ``max_norm`` is not above 0, or ``noise_std`` is below 0.

    Reference:
        Sun et al., Can You Really Backdoor Federated Learning?, 2019.
    """

    def __init__(self, max_norm: float, noise_std: float = 0.0) -> None:
        check_positive("aggregation.max_norm", max_norm)
        check_not_negative("aggregation.noise_std", noise_std)
        self.max_norm, self.noise_std = max_norm, noise_std

    def describe(self, federation: Federation) -> str:
        """The rule, its bound and its noise."""
        noise = f", noise_std {self.noise_std:g}" if self.noise_std else ""
        return f"{self.label}, max_norm {self.max_norm:g}{noise}"

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up a part's updates; see `flt.functional.norm_clipping`."""
        shares = equal_shares(round)
        updates = norm_bounded_sum(round.rows, shares, max_norm=self.max_norm)
        return PartialAggregate(updates, WeightedSum.of(round.statistics, shares), (Judgement(weights=shares),))

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate | None:
        """The mean over all parts, and the noise."""
        aggregate = super().finish(total, round)
        if aggregate is None or not self.noise_std or not len(round):
            return aggregate
        noise = torch.randn(aggregate.update.shape, generator=round.generator("norm clipping"), device=round.device)
        return replace(aggregate, update=aggregate.update + self.noise_std * noise)
