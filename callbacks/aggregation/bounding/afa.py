"""Adaptive federated averaging as a callback."""

import torch
from torch import Tensor

from callbacks.aggregation.fedavg import shares_of
from flt.errors import InputError, check_count
from flt.federation import Aggregate, Aggregation, ClientMemory, Federation, Round, check_fewest
from flt.functional.aggregation.bounding.afa import afa_kept, check_afa, doubt


class AFA(Aggregation):
    """Adaptive federated averaging: leaves out updates that point elsewhere, and blocks clients left out too often.

    It keeps how often each client was left out. The score of a client is the probability, by that, that it is a good
    one; it multiplies what the client counts.

    Args:
        threshold: Standard deviations from the median cosine at which an update is left out in the first pass (xi).
        growth: What is added to that after each pass.
        prior: How often, before the first round, each client counts as kept and as left out (alpha and beta).
        certainty: A client is blocked for good once it is that probable that it is good less than half of the time.

    Raises:
        InputError: If a setting is out of range, or there are fewer than 3 updates; before the first round.

    Reading:
        The mean is weighted by the size of each client's data, as in the paper.

    Reference:
        Munoz-Gonzalez, Co and Lupu, Byzantine-Robust Federated Machine Learning through Adaptive Model Averaging, 2019.
    """

    def __init__(self, threshold: float = 2.0, growth: float = 0.5, prior: int = 3, certainty: float = 0.95) -> None:
        check_afa(threshold=threshold, growth=growth, prefix="aggregation.")
        check_count("aggregation.prior", prior)
        if not 0.5 <= certainty <= 1:
            raise InputError(f"aggregation.certainty={certainty} must be from 0.5 to 1, which blocks nobody")
        self.threshold, self.growth, self.prior, self.certainty = threshold, growth, prior, certainty

    def check(self, federation: Federation) -> None:
        """Checks that there is a majority to be had."""
        check_fewest(3, federation, self.label)

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """Two counts of eight bytes for each client."""
        return 4 * federation.num_clients

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.afa`."""
        nothing = torch.zeros(1, 2, dtype=torch.long, device=round.device)
        kept = round.memory.get("counts") or ClientMemory.empty(round.federation.num_clients, nothing)
        counts = kept.of(round.client_ids)
        good, bad = (counts + self.prior).T
        trust, allowed = good / (good + bad), ~self._blocked(good, bad)
        counted = shares_of(round) * trust
        chosen = afa_kept(round.rows.gram, counted, allowed, threshold=self.threshold, growth=self.growth)
        judged = torch.stack([allowed & chosen, allowed & ~chosen], dim=1).long()
        memory = {"counts": kept.updated(round.client_ids, counts + judged)}
        return Aggregate.mean_of(round, counted * chosen, scores=trust, memory=memory)

    def _blocked(self, good: Tensor, bad: Tensor) -> Tensor:
        """Which clients are blocked, boolean of shape ``[num_clients]``."""
        blocked = bad > good  # only then doubt exceeds one half, and few are
        blocked[blocked.clone()] = doubt(good[blocked], bad[blocked]) > self.certainty
        return blocked
