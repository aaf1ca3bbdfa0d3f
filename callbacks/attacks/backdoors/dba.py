"""The distributed backdoor as a callback."""

from dataclasses import replace
from typing import Any

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.data.triggers import distributed_trigger
from flt.errors import check_count, check_positive
from flt.federation import Backdoor, Federation, Round
from flt.functional.attacks.backdoors import model_replacement


class DBA(BackdoorAttack):
    """A distributed backdoor: each malicious client trains on a part of the trigger, success is that of the whole.

    The malicious client of rank i, counted from 0 in the order of the clients, embeds part i mod ``num_parts``. Without
    a trigger of one's own it is the authors' four bars for 28x28 and 32x32 images, and the data set's own for others.
    Pixels and features of a trigger are shared out; other patterns are cut into strips.

    Args:
        num_parts: Parts of the trigger (M).
        scale: Factor of malicious updates; null is ``n / (server_lr m)`` for n clients in the round, m of them
            malicious. A single shot is this factor in a short schedule; multi-shot is a factor of 1 in all rounds.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Xie, Huang, Chen, Li, DBA: Distributed Backdoor Attacks against Federated Learning, ICLR 2020.

    Reading:
        The factor is the one that replaces the global model under a mean; the paper prints its inverse, and its
        authors' code has 100 for 10 clients and a server's learning rate of 0.1, which is the same. A single malicious
        client embeds the whole trigger, as in that code.
    """

    def __init__(self, num_parts: int = 4, scale: float | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        check_count("attack.num_parts", num_parts)
        if scale is not None:
            check_positive("attack.scale", scale)
        self.num_parts = num_parts
        self.scale = scale

    def backdoor(self, default: Backdoor) -> Backdoor:
        """The whole trigger, which is measured, with its parts, which are trained."""
        own = distributed_trigger(default.shape, default.trigger) if self.trigger is None else self.trigger
        return replace(default.changed(own, self.target_class), parts=own.parts(self.num_parts))

    def check(self, federation: Federation) -> None:
        """Says which parts of the trigger nobody trains."""
        super().check(federation)
        num_malicious = int(federation.malicious.sum())
        if num_malicious == 1 < self.num_parts:
            rank_zero_warn("DBA with a single malicious client is a usual backdoor: it embeds the whole trigger")
        elif 0 < num_malicious < self.num_parts:
            rank_zero_warn(
                f"attack.num_parts={self.num_parts} is more than the {num_malicious} malicious clients: parts from"
                f" {num_malicious + 1} to {self.num_parts} of the trigger are never trained"
            )

    @property
    def works_alone(self) -> bool:
        """Whether a malicious client needs to know nothing of others: where its factor is given."""
        return self.scale is not None

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.model_replacement`."""
        return model_replacement(
            round.updates,
            round.malicious,
            scale=self.scale,
            server_lr=round.federation.server_lr,
            total=round.num_participants,
        )
