"""Rules that count signs as callbacks."""

from dataclasses import replace

from lightning.pytorch.utilities import rank_zero_warn

from callbacks.aggregation.fedavg import FedAvg, equal_shares
from flt.errors import InputError, check_positive
from flt.federation import Aggregate, Aggregation, Federation, PartialAggregate, Round, RuleAround, Streaming
from flt.functional.aggregation.bounding.signs import sign_sums, turned_around
from flt.functional.weighted_sum import WeightedSum


class SignSGD(Streaming):
    """Majority vote on the sign of each coordinate: a step of one length along each.

    Args:
        step: That length. It is the whole learning rate, whatever the updates' length: 0.001 is a value to begin with.

    Raises:
        InputError: If ``step`` is not above 0.

    Reference:
        Bernstein et al., signSGD with Majority Vote is Communication Efficient and Fault Tolerant, ICLR 2019.
    """

    def __init__(self, step: float) -> None:
        check_positive("aggregation.step", step)
        self.step = step

    def describe(self, federation: Federation) -> str:
        """The rule and the length of its step."""
        return f"{self.label}, step {self.step:g}"

    def fold(self, round: Round) -> PartialAggregate:
        """Adds up the signs of a part's updates; see `flt.functional.sign_sgd`."""
        shares = equal_shares(round)
        votes = round.rows.by_columns(sign_sums)
        total = WeightedSum(votes.double(), shares.sum(), votes.dtype)
        return PartialAggregate(total, WeightedSum.of(round.statistics, shares))

    def finish(self, total: PartialAggregate | None, round: Round) -> Aggregate | None:
        """The step to where the votes of all parts point."""
        assert total is not None, "a rule that takes parts keeps something of each"
        votes = total.updates.values.sign().to(total.updates.dtype)
        return Aggregate(self.step * votes, total.statistics.mean(), total.judgement)


class RLR(RuleAround):
    """Robust learning rate: turns the aggregate of a rule around along each coordinate on whose sign too few agree.

    Args:
        rule: The rule whose aggregate that is; null is FedAvg.
        threshold: The least ``|sum_i sign(g_i)|`` along a coordinate that leaves it as it is (theta), 0 to the number
            of clients; null is one more than the number of malicious clients.

    Raises:
        InputError: If ``threshold`` is out of range; before the first round.

    Reference:
        Ozdayi, Kantarcioglu and Gel, Defending against Backdoors in Federated Learning with Robust Learning Rate,
        AAAI 2021.
    """

    def __init__(self, rule: Aggregation | None = None, threshold: int | None = None) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        self.threshold = threshold

    def describe(self, federation: Federation) -> str:
        """The rule with its settings, and the threshold."""
        return f"{super().describe(federation)}, threshold {self._threshold(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks the threshold against the number of updates, then the rule."""
        threshold, rows, expected = (
            self._threshold(federation),
            federation.rows_per_round,
            federation.byzantine_per_round,
        )
        if not 0 <= threshold <= rows:
            raise InputError(
                f"aggregation.threshold={threshold} does not fit {type(self).__name__} of {rows} updates: set it to 0"
                f" or more (at most {rows})"
            )
        if not threshold:
            rank_zero_warn("aggregation.threshold=0 has no effect: it leaves every coordinate as it is")
        elif not expected < threshold <= rows - 2 * expected:
            rank_zero_warn(
                f"aggregation.threshold={threshold}: {expected} malicious among {rows} clients cannot decide alone, and"
                f" the others can against them, with {expected + 1} to {rows - 2 * expected}"
            )
        super().check(federation)

    def apply(self, round: Round) -> Aggregate | None:
        """See `flt.functional.robust_learning_rate`."""
        found = self.ask(round)
        if found is None:
            return None
        threshold = min(self._threshold(round.federation), len(round))
        return replace(found, update=turned_around(found.update, round.rows.by_columns(sign_sums), threshold=threshold))

    def _threshold(self, federation: Federation) -> int:
        return federation.byzantine_per_round + 1 if self.threshold is None else self.threshold
