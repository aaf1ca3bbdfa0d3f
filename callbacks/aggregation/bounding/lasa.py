"""LASA as a callback."""

from flt.federation import Aggregate, Aggregation, Federation, Judgement, Round, check_fewest
from flt.functional.aggregation.bounding.lasa import Average, check_lasa, lasa_layers


class LASA(Aggregation):
    """Layer by layer, the mean of sparse updates whose length and signs are close to the median's.

    The score of a client is the part of the network's tensors in whose mean it is; it counts as kept if there is any.

    Args:
        sparsity: Part of a client's weights, the smallest of all matrices and convolutions, that is set to zero.
        norm_bound: Standard deviations from the median length that an update may have in a tensor.
        sign_bound: Standard deviations from the median share of positive signs that it may have there.
        average: Whether the mean is taken of the "sparse" updates, as in the authors' code, or of the "dense" ones.

    Raises:
        InputError: If a setting is out of range, or there are fewer than 3 updates; before the first round.

    Reading:
        Updates are first shortened to the median length. Ties with the least weight that is left are set to zero as
        well, as in the authors' code.

    Reference:
        Xu, Zhang and Hu, Achieving Byzantine-Resilient Federated Learning via Layer-Adaptive Sparsified Model
        Aggregation, WACV 2025.
    """

    needs_whole_updates = True

    def __init__(
        self, sparsity: float = 0.3, norm_bound: float = 1.0, sign_bound: float = 1.0, average: Average = "sparse"
    ) -> None:
        check_lasa(
            sparsity=sparsity, norm_bound=norm_bound, sign_bound=sign_bound, average=average, prefix="aggregation."
        )
        self.sparsity, self.norm_bound, self.sign_bound, self.average = sparsity, norm_bound, sign_bound, average

    def check(self, federation: Federation) -> None:
        """Checks that there are enough updates for a majority."""
        check_fewest(3, federation, self.label)

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.lasa`."""
        aggregate, kept = lasa_layers(
            round.updates,
            round.rows.norms,
            round.federation.layout,
            sparsity=self.sparsity,
            norm_bound=self.norm_bound,
            sign_bound=self.sign_bound,
            average=self.average,
        )
        judgement = Judgement(kept=kept.any(dim=1), scores=kept.double().mean(dim=1))
        return Aggregate(aggregate, judgement=judgement)
