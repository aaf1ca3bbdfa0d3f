"""Zeno as a callback."""

from callbacks.aggregation.root.measured import measured, measured_at_start
from flt.errors import check_choice, check_not_negative
from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Round
from flt.functional.aggregation.root.measures import mean_losses
from flt.functional.aggregation.root.zeno import Penalty, zeno_scores, zeno_weights


class Zeno(Aggregation):
    """Mean of the updates that lower the loss on the root dataset most.

    The score of a client is by how much its update lowers that loss, less a penalty for its length; more is better.

    Args:
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than there are; null is the number of
            malicious clients. As many updates are dropped.
        rho: What the squared length of an update counts against it.
        penalty: Whether the squared length is the "sum" of the squares of its entries, as in the paper, or their
            "mean", as in its authors' code.

    Raises:
        InputError: If ``rho`` is negative, or everyone would be dropped; before the first round.

    Reading:
        The loss is the mean cross-entropy over the whole root dataset. The length is that of the update as it is sent,
        the learning rate in it.

    Reference:
        Xie, Koyejo and Gupta, Zeno: Distributed Stochastic Gradient Descent with Suspicion-based Fault-tolerance, ICML
        2019.
    """

    needs_root_data = True

    def __init__(self, num_byzantine: int | None = None, rho: float = 0.0005, penalty: Penalty = "sum") -> None:
        check_choice("aggregation.penalty", penalty, Penalty)
        check_not_negative("aggregation.rho", rho)
        self.byzantine = Byzantine.needing(num_byzantine, times=1, plus=1)
        self.rho, self.penalty = rho, penalty

    def describe(self, federation: Federation) -> str:
        """The rule and the number it tolerates."""
        return f"{self.label}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that somebody is left."""
        self.byzantine.check(federation, self.label)

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.zeno`."""
        losses, start = measured(round, mean_losses), measured_at_start(round, mean_losses)
        scores = zeno_scores(round.rows, losses, start, rho=self.rho, penalty=self.penalty)
        return Aggregate.mean_of(round, zeno_weights(scores, num_byzantine=self.byzantine.of(round)), scores=scores)
