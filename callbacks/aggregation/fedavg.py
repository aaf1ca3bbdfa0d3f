"""FedAvg as a callback."""

import torch
from torch import Tensor

from flt.federation import Judgement, PartialAggregate, Round, Streaming
from flt.functional.weighted_sum import WeightedSum


class FedAvg(Streaming):
    """Mean of the updates weighted by the size of each client's data.

    Reference:
        McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017.
    """

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up a part's updates; see `flt.functional.fedavg`."""
        shares = shares_of(round)
        updates, statistics = round.rows.weighted_sum(shares), WeightedSum.of(round.statistics, shares)
        return PartialAggregate(updates, statistics, (Judgement(weights=shares),))


def shares_of(round: Round) -> Tensor:
    """Each client's share of all examples of the federation, float64 of shape ``[num_clients]``."""
    # Any common factor will do; this one keeps a weighted sum below the largest update.
    shares = round.num_examples.double() / round.federation.num_examples.sum().clamp(min=1)
    return shares.to(round.device)


def equal_shares(round: Round) -> Tensor:
    """One client's share of all clients of the federation, for each, float64 of shape ``[num_clients]``."""
    return torch.full((len(round),), 1.0 / round.federation.num_clients, dtype=torch.float64, device=round.device)
