"""FLTG as a callback."""

from flt.federation import Aggregate, Aggregation, Federation, Judgement, Round
from flt.functional.aggregation.root.fltg import fltg_weights


class FLTG(Aggregation):
    """Mean of the updates on the root update's side, weighted by their angle with one that is far from the last step.

    It keeps the last aggregate. Its scores are cosines with the root update.

    Reading:
        The abstract has weights fall with the angle from the reference client, the code has them grow with it, and so
        the reference client counts nothing; this is the code's. Take it for experimental.

    Reference:
        Wen et al., FLTG: Byzantine-Robust Federated Learning via Angle-Based Defense and Non-IID-Aware Weighting, 2025.
    """

    needs_root_update = True

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The last aggregate."""
        return num_params

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.fltg`."""
        root_update = round.require_root_update()
        weights, scales, cosines = fltg_weights(round.rows, root_update, round.memory.get("last"))
        if bool(weights.any()):
            found = Aggregate.mean_of(round, weights, scales=scales, scores=cosines)
        else:
            judgement = Judgement(weights=weights, scores=cosines)
            found = Aggregate(root_update.clone(), round.require_root_statistics(), judgement)
        return Aggregate(found.update, found.statistics, found.judgement, memory={"last": found.update})
