"""Projected gradient ascent as a callback."""

from typing import Any

from torch import Tensor

from flt.errors import check_count, check_positive
from flt.federation import Attack, LocalUpdates, LocalWork, Memory, Round
from flt.functional.attacks.backdoors import gradient_ascent


class PGA(Attack):
    """Malicious clients climb the loss of their data, and send what they find at the length of an honest update.

    Args:
        epochs: Passes of a malicious client over its data in a round; null is ``model.local_steps`` batches.
        ascent_lr: Learning rate of the ascent; null is that of all clients.
        norm: Length of what is sent (tau); null is the mean length of the benign updates, under partial knowledge of
            the updates that the malicious clients would honestly send.
        shared: Whether all send the mean of what they find, each brought to that length; otherwise each its own.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Shejwalkar et al., Back to the Drawing Board: A Critical Evaluation of Poisoning Attacks on Production Federated
        Learning, S&P 2022.

    Reading:
        The paper's adversary climbs on the pooled data of all its clients; of one step that is the mean of theirs.
    """

    uses_knowledge = True

    def __init__(
        self,
        epochs: int | None = None,
        ascent_lr: float | None = None,
        norm: float | None = None,
        shared: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_count("attack.epochs", epochs)
        for name, value in {"ascent_lr": ascent_lr, "norm": norm}.items():
            if value is not None:
                check_positive(f"attack.{name}", value)
        self.epochs = epochs
        self.ascent_lr = ascent_lr
        self.norm = norm
        self.shared = shared

    def prepare(self, local: LocalWork) -> Memory | None:
        """Measures, under partial knowledge, how long honest updates of the malicious clients are."""
        if self.knowledge == "full" or self.norm is not None or not len(local.client_ids):
            return None
        return {"norm": float(local.sgd(local.honest).updates.double().norm(dim=1).mean())}

    def train(self, local: LocalWork) -> LocalUpdates:
        """Climbs the loss."""
        batches = local.batches if self.epochs is None else local.draw(self.epochs)
        return local.sgd(batches, lr=-(self.ascent_lr or local.client_lr))

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.gradient_ascent`."""
        return gradient_ascent(
            round.updates,
            round.malicious,
            norm=round.memory.get("norm", self.norm),
            shared=self.shared,
        )
