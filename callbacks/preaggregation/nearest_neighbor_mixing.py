"""Nearest-neighbour mixing as a callback."""

from functools import partial

from torch import Tensor

from callbacks.aggregation import FedAvg
from flt.federation import Aggregation, Byzantine, Federation, PreAggregation, Round
from flt.functional.guarantees.robustness import kappa_of_mixing
from flt.functional.preaggregation.mixing import mixing_weights


class NNM(PreAggregation):
    """Nearest-neighbour mixing: replaces every update by the mean of its ``n - f`` nearest, then applies a rule.

    Args:
        rule: The rule that gets the mixed updates; null is FedAvg.
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than half of the clients; null is
            ``model.num_byzantine``, and with it the number of malicious clients.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Allouah et al., Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity, AISTATS 2023.
    """

    def __init__(self, rule: Aggregation | None = None, num_byzantine: int | None = None) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        self.byzantine = Byzantine.needing(num_byzantine, times=2, plus=1)

    def check(self, federation: Federation) -> None:
        """Checks the number to tolerate, then the rule."""
        self.byzantine.check(federation, type(self).__name__)
        super().check(federation)

    def describe(self, federation: Federation) -> str:
        """The number to tolerate and the rule with its settings."""
        return f"{super().describe(federation)}, {self.byzantine.describe(federation)}"

    def mix(self, round: Round) -> Tensor:
        """See `flt.functional.nearest_neighbor_mixing`."""
        return mixing_weights(round.rows.gram, num_byzantine=self.byzantine.of(round))

    def kappa_bound(self, round: Round) -> float | None:
        """See `flt.functional.kappa_of_mixing`; of rules that have a bound themselves."""
        inner = self.rule.kappa_bound(round)
        if inner is None:
            return None
        return self.byzantine.kappa_bound(round, partial(kappa_of_mixing, inner))
