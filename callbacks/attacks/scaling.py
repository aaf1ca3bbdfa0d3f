"""The Scaling attack as a callback."""

from typing import Any

import torch
from torch import Tensor

from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.data.triggers import Trigger
from flt.errors import check_positive
from flt.federation import Round, by_client


class ScalingAttack(BackdoorAttack):
    """A backdoor: malicious clients train on triggered copies of their data as well and scale up what they send.

    Each malicious client copies a fraction of its examples, embeds the trigger in the copies, labels them with the
    target class, trains on the union and multiplies its update by ``scale``. Benign clients draw the batches
    that they draw without the attack.

    Args:
        fraction: Fraction of the clients that are malicious.
        poison_fraction: Fraction p of a malicious client's examples that are copied.
        scale: Factor lambda; null is the number of clients of a round, as in the paper.
        trigger: Pattern to embed; null is the data set's own.
        target_class: Class the triggered examples are to be taken for; null is the data set's own.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Bagdasaryan et al., How To Backdoor Federated Learning, AISTATS 2020.
    """

    stream = "scaling attack"

    # In the order in which version 0.1 took them.
    def __init__(
        self,
        fraction: float = 0.2,
        poison_fraction: float = 1.0,
        scale: float | None = None,
        trigger: Trigger | None = None,
        target_class: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(fraction, poison_fraction, trigger, target_class, **settings)
        if scale is not None:
            check_positive("attack.scale", scale)
        self.scale = scale

    @by_client
    def craft(self, round: Round) -> Tensor:
        """Multiplies the malicious updates by ``scale``."""
        scale = round.federation.clients_per_round if self.scale is None else self.scale
        factors = torch.where(round.malicious, float(scale), 1.0).to(round.updates)
        return round.updates * factors[:, None]
