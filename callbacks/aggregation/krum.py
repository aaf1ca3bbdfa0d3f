"""Krum as a callback."""

import torch
from lightning.pytorch.utilities import rank_zero_warn

from flt.federation import Aggregate, Aggregation, Federation, Judgement, Round
from flt.functional import krum_select
from flt.functional.aggregation.krum import check_num_byzantine


class Krum(Aggregation):
    """The one update closest to its nearest neighbours.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), of which ``f + 3`` clients are the least; null is
            the number of malicious clients, as in the paper.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017.
    """

    def __init__(self, num_byzantine: int | None = None) -> None:
        self.num_byzantine = num_byzantine

    def _num_byzantine(self, federation: Federation) -> int:
        return federation.expected_per_round if self.num_byzantine is None else self.num_byzantine

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, num_byzantine {self._num_byzantine(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that Krum is defined for so many clients, and warns where nothing is known of it."""
        tolerated, clients = self._num_byzantine(federation), federation.clients_per_round
        check_num_byzantine(tolerated, clients)
        if clients < 2 * tolerated + 3:
            rank_zero_warn(
                f"Krum is proven to tolerate {tolerated} malicious among {2 * tolerated + 3} clients or more"
            )

    def aggregate(self, round: Round) -> Aggregate:
        """Applies `flt.functional.krum_select`."""
        # A dropped update is one that need not be tolerated any more.
        num_byzantine = max(0, self._num_byzantine(round.federation) - round.num_dropped)
        # One or two updates left after dropping have no neighbours to be judged by.
        chosen = krum_select(round.updates, num_byzantine=num_byzantine) if len(round.updates) >= 3 else 0
        is_chosen = torch.arange(len(round.updates), device=round.updates.device) == chosen
        judgement = Judgement(weights=is_chosen.to(round.updates.dtype))
        return Aggregate(round.updates[chosen].clone(), round.statistics[chosen].clone(), judgement)
