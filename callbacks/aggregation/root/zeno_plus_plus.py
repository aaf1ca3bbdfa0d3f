"""Zeno++ as a callback."""

import torch

from flt.errors import check_choice, check_count
from flt.federation import Aggregate, Aggregation, Federation, Round
from flt.functional.aggregation.root.zeno_plus_plus import PenaltyOf, check_zeno_plus_plus, zeno_plus_plus_scores


class ZenoPlusPlus(Aggregation):
    """Mean of the updates, brought to the length of an earlier root update, that go its way.

    The score of a client is what its update is accepted by where it is 0 or more.

    Args:
        gamma: What agreement with the root update counts.
        rho: What the squared length of an update counts against it.
        epsilon: How far an update may go the other way, 0 or more.
        refresh_every: Rounds for which a root update is kept (k).
        penalty: Whose length counts: that of the "rescaled" update, as in the paper, or of the update as it was "sent",
            as in its authors' code.

    Raises:
        InputError: If a setting is out of range.

    Reading:
        The paper's updates come one at a time; here the accepted ones of a round make a mean.

    Reference:
        Xie, Koyejo and Gupta, Zeno++: Robust Fully Asynchronous SGD, ICML 2020.
    """

    needs_root_update = True

    def __init__(
        self,
        gamma: float = 0.1,
        rho: float = 0.001,
        epsilon: float = 0.0,
        refresh_every: int = 10,
        penalty: PenaltyOf = "rescaled",
    ) -> None:
        check_choice("aggregation.penalty", penalty, PenaltyOf)
        check_zeno_plus_plus(gamma=gamma, rho=rho, epsilon=epsilon, prefix="aggregation.")
        check_count("aggregation.refresh_every", refresh_every)
        self.gamma, self.rho, self.epsilon, self.penalty = gamma, rho, epsilon, penalty
        self.refresh_every = refresh_every

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The root update."""
        return num_params

    def has_root(self, round: Round) -> bool:
        """Whether there is a finite root update, of this round or an earlier one."""
        return "root update" in round.memory or super().has_root(round)

    def aggregate(self, round: Round) -> Aggregate:
        """See `flt.functional.zeno_plus_plus`."""
        kept, root = round.memory.get("root update"), round.require_root_update()
        is_due = kept is None or round.number - round.memory["round"] >= self.refresh_every
        memory = None
        if is_due and bool(root.isfinite().all()):
            kept, memory = root, {"root update": root, "round": round.number}
        kept = torch.zeros_like(root) if kept is None else kept
        scores, scales = zeno_plus_plus_scores(
            round.rows, kept, gamma=self.gamma, rho=self.rho, epsilon=self.epsilon, penalty=self.penalty
        )
        return Aggregate.mean_of(round, scores >= 0, scales=scales, scores=scores, memory=memory)
