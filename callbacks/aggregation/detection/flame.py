"""FLAME as a callback."""

from dataclasses import replace
from typing import Literal

import torch

from flt.errors import InputError, check_choice
from flt.federation import Aggregate, Aggregation, Federation, Round, check_fewest
from flt.functional.aggregation.detection.flame import flame_filter, with_noise

Cluster = Literal["updates", "models"]


class FLAME(Aggregation):
    """Mean of the majority whose directions agree, updates shortened to the median length, plus noise.

    Args:
        cluster: What is clustered by angle: the clients' "updates", or their "models" as in the paper's algorithm.
        noise: Standard deviation of the noise on each parameter, in lengths of the median update (lambda);
            ``sqrt(2 ln(1.25 / delta)) / epsilon`` makes a round (epsilon, delta)-differentially private.

    Raises:
        InputError: If ``cluster`` is neither, ``noise`` is negative, or there are fewer than 3 updates; before the
            first round.

    Reading:
        The clusters of HDBSCAN that the paper asks for follow from a graph of pairs, see `flt.functional.flame`. The
        median length is that of all updates, and the noise is added once, to the mean.

    Reference:
        Nguyen et al., FLAME: Taming Backdoors in Federated Learning, USENIX Security 2022.
    """

    def __init__(self, cluster: Cluster = "updates", noise: float = 0.001) -> None:
        check_choice("aggregation.cluster", cluster, Cluster)
        if not 0 <= noise < float("inf"):
            raise InputError(f"aggregation.noise={noise} must be a finite number of 0 or more; 0 adds none")
        self.cluster: Cluster = cluster
        self.noise = noise

    def check(self, federation: Federation) -> None:
        """Checks that there are enough updates for a majority."""
        check_fewest(3, federation, self.label)

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.flame`."""
        kept, scales, longest = flame_filter(
            round.rows, parameters=round.parameters if self.cluster == "models" else None
        )
        aggregate = Aggregate.mean_of(round, kept, scales=scales)
        source = round.generator("FLAME")
        noise = None
        if self.noise:
            noise = self.noise * torch.randn(round.rows.num_params, generator=source, device=source.device)
        return replace(aggregate, update=with_noise(aggregate.update, noise, longest))
