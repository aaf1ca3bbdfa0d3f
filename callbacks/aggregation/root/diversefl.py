"""DiverseFL as a callback."""

from flt.errors import check_share
from flt.federation import Judgement, PartialAggregate, Round, Streaming
from flt.functional.aggregation.root.diversefl import accepted_by_guides, check_ratios
from flt.functional.weighted_sum import WeightedSum


class DiverseFL(Streaming):
    """Mean of the updates that are like what the server finds on a sample of the same client's own data.

    Each client shares a sample before any attack, drawn once by the seed. In every round the server trains on it as the
    client would, with batches as large, and accepts the client's update if it goes the same way and is about as long.
    Cosines and relative lengths are those with the client's own guide.

    Args:
        sample_fraction: Part of its examples that each client has shared, rounded up, above 0 and at most 1.
        min_ratio: Least length of an update in lengths of its guide (e_2).
        max_ratio: Largest one (e_3).

    Raises:
        InputError: If a setting is out of range, or it is put inside a rule that joins clients to one row; before the
            first round.

    Reading:
        The bounds of lengths are inferred, not read. Accepted updates count the same.

    Reference:
        Prakash and Avestimehr, Mitigating Byzantine Attacks in Federated Learning, 2020.
    """

    needs_root_data = True
    needs_single_clients = True

    def __init__(self, sample_fraction: float = 0.03, min_ratio: float = 0.5, max_ratio: float = 2.0) -> None:
        check_share("aggregation.sample_fraction", sample_fraction)
        check_ratios(min_ratio, max_ratio, "aggregation.")
        self.sample_fraction, self.min_ratio, self.max_ratio = sample_fraction, min_ratio, max_ratio

    def fold(self, round: Round) -> PartialAggregate:
        """Accepts some of a part's updates; see `flt.functional.diversefl`."""
        server = round.require_server()
        shared = server.shared(self.sample_fraction)
        guides = server.train(shared, round.client_ids, stand_for=round.num_examples).updates
        accepted, cosines, ratios = accepted_by_guides(
            round.updates, guides, min_ratio=self.min_ratio, max_ratio=self.max_ratio
        )
        weights = accepted.double() / round.federation.clients_per_round  # which keeps the sum below the longest
        total = round.rows.weighted_sum(weights)
        judgement = Judgement(weights=weights, cosines=cosines, norm_ratios=ratios)
        return PartialAggregate(total, WeightedSum.of(round.statistics, weights), (judgement,))
