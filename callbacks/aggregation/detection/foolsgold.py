"""FoolsGold as a callback."""

from flt.errors import check_positive
from flt.federation import Aggregate, Aggregation, ClientMemory, Federation, Round, check_fewest
from flt.functional.aggregation.detection.foolsgold import foolsgold_scales, foolsgold_weights, unit_blocks
from flt.functional.gram import Gram


class FoolsGold(Aggregation):
    """Mean of the updates in which clients whose updates of all rounds point the same way count less, down to nothing.

    It keeps a vector for each client, as long as an update. Whoever counts fully is whoever resembles nobody.

    Args:
        confidence: How sharply weights are driven to 0 and 1, above 0 (kappa).
        normalize: Whether the weighted sum is divided by the number of updates, as a step of the server is for a mean;
            the paper adds gradients up.
        rescale: Whether updates longer than 1 are brought to length 1 before they are added up, as in the authors'
            code; in the history they always are.

    Raises:
        InputError: If ``confidence`` is not above 0, or there are fewer than 2 updates; before the first round.

    Reading:
        All parameters count as indicative features. No resemblance counts as less than 0, as in the authors' code. A
        client whose history is zero counts nothing. Where all histories point the same way, the aggregate is zero.

    Reference:
        Fung, Yoon and Beschastnikh, The Limitations of Federated Learning in Sybil Settings, RAID 2020.
    """

    def __init__(self, confidence: float = 1.0, normalize: bool = True, rescale: bool = False) -> None:
        check_positive("aggregation.confidence", confidence)
        self.confidence, self.normalize, self.rescale = confidence, normalize, rescale

    def check(self, federation: Federation) -> None:
        """Checks that there is somebody to resemble."""
        check_fewest(2, federation, self.label)

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The histories of all clients."""
        return federation.num_clients * num_params

    def aggregate(self, round: Round) -> Aggregate:
        """Adds to the histories, and weighs clients by them; see `flt.functional.foolsgold`."""
        rows, ids = round.rows, round.client_ids
        kept = round.memory.get("history") or ClientMemory.empty(round.federation.num_clients, rows.updates)
        history = kept.added(ids, unit_blocks(rows))
        weights = foolsgold_weights(Gram.of(history.of(ids)), confidence=self.confidence)
        scales = foolsgold_scales(rows, weights, normalize=self.normalize, rescale=self.rescale)
        return Aggregate.mean_of(round, weights, scales=scales, memory={"history": history})
