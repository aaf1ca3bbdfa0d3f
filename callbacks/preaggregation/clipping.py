"""Clipping as a callback."""

from torch import Tensor

from callbacks.aggregation import FedAvg
from flt.errors import check_positive
from flt.federation import Aggregation, Byzantine, Federation, PreAggregation, Round
from flt.functional.distances import shortening
from flt.functional.preaggregation.clipping import arc_factors


class Clipping(PreAggregation):
    """Shortens updates to a largest length, then applies a rule.

    Args:
        rule: The rule that gets the shortened updates; null is FedAvg.
        max_norm: That length, the bound on an update's Euclidean norm.

    Raises:
        InputError: If ``max_norm`` is not above 0.
    """

    def __init__(self, rule: Aggregation | None = None, max_norm: float = 2.0) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        check_positive("aggregation.max_norm", max_norm)
        self.max_norm = max_norm

    def describe(self, federation: Federation) -> str:
        """The bound and the rule with its settings."""
        return f"{super().describe(federation)}, max_norm {self.max_norm:g}"

    def mix(self, round: Round) -> Tensor:
        """See `flt.functional.clipping`."""
        return shortening(round.rows.norms, self.max_norm).diag()


class ARC(PreAggregation):
    """Adaptive robust clipping: shortens the longest updates to the longest of the others, then applies a rule.

    Args:
        rule: The rule that gets the shortened updates; null is FedAvg.
        num_byzantine: Malicious clients to tolerate in a round (f), at most all of them; null is the number of
            malicious clients. With n clients, ``2 (f / n) (n - f)`` updates are shortened, rounded down.

    Raises:
        InputError: If there are too few clients for ``num_byzantine``; before the first round.

    Reference:
        Allouah et al., Adaptive Gradient Clipping for Robust Federated Learning, ICLR 2025.
    """

    def __init__(self, rule: Aggregation | None = None, num_byzantine: int | None = None) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        self.byzantine = Byzantine.needing(num_byzantine, times=1, plus=0)

    def check(self, federation: Federation) -> None:
        """Checks the number to tolerate, then the rule."""
        self.byzantine.check(federation, type(self).__name__)
        super().check(federation)

    def describe(self, federation: Federation) -> str:
        """The number to tolerate and the rule with its settings."""
        return f"{super().describe(federation)}, {self.byzantine.describe(federation)}"

    def mix(self, round: Round) -> Tensor:
        """See `flt.functional.adaptive_robust_clipping`."""
        return arc_factors(round.rows.norms, num_byzantine=self.byzantine.of(round)).diag()
