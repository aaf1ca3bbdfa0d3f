"""FoundationFL as a callback."""

from torch import Tensor

from callbacks.aggregation import Median
from flt.errors import check_count
from flt.federation import Aggregation, Federation, PreAggregation, Round
from flt.functional.preaggregation.foundation import foundation_mixing


class FoundationFL(PreAggregation):
    """Adds copies of the update farthest from the extremes of all coordinates, then applies a rule.

    Args:
        rule: The rule that gets the updates and the copies; null is Median. The paper also takes the trimmed mean.
        num_synthetic: Copies that join the updates (m).

    Raises:
        InputError: If ``num_synthetic`` is below 1, or the rule is not defined for so many rows; before the first
            round.

    Reference:
        Fang et al., Do We Really Need to Design New Byzantine-robust Aggregation Rules?, NDSS 2025.

    Reading:
        Extremes are the largest and the smallest value of each coordinate, those of attackers among them. Two copies
        are the default of a public implementation; the paper's number is not known to us.
    """

    def __init__(self, rule: Aggregation | None = None, num_synthetic: int = 2) -> None:
        super().__init__(Median() if rule is None else rule)
        check_count("aggregation.num_synthetic", num_synthetic)
        self.num_synthetic = num_synthetic

    def num_rows(self, num_clients: int) -> int:
        """The clients and the copies."""
        return num_clients + self.num_synthetic

    def describe(self, federation: Federation) -> str:
        """The number of copies, and the rule with its settings."""
        return f"{super().describe(federation)}, num_synthetic {self.num_synthetic}"

    def mix(self, round: Round) -> Tensor:
        """Applies `flt.functional.foundation`."""
        return foundation_mixing(round.rows, num_synthetic=self.num_synthetic)
