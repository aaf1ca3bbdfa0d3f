"""ClippedClustering as a callback."""

import torch

from flt.federation import Aggregate, Aggregation, Federation, Round, check_fewest
from flt.functional.aggregation.detection.clipped_clustering import larger_cluster, middle, sorted_in
from flt.functional.distances import shortening


class ClippedClustering(Aggregation):
    """Mean of the larger of two clusters by angle, no update longer than the median of all rounds so far.

    It keeps the length of every update that it has seen.

    Raises:
        InputError: If there are fewer than 2 updates; before the first round.

    Reading:
        A zero update has no angle, and is as far from any other as one that points the opposite way. Of two clusters
        of a size, the one with the shorter updates is taken.

    Reference:
        Li, Ngai and Voigt, An Experimental Study of Byzantine-Robust Aggregation Schemes in Federated Learning, IEEE
        Transactions on Big Data 2023.
    """

    def check(self, federation: Federation) -> None:
        """Checks that there is something to divide."""
        check_fewest(2, federation, self.label)

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.clipped_clustering`."""
        norms = round.rows.gram.norms
        seen = sorted_in(round.memory.get("lengths", torch.zeros(0)), norms)
        scales = shortening(norms, middle(seen))
        return Aggregate.mean_of(round, larger_cluster(round.rows.gram), scales=scales, memory={"lengths": seen})
