"""The Scaling attack as a callback."""

from typing import Any

import torch
from torch import Tensor

from flt.data.backdoor import poisoned
from flt.data.examples import ClientData
from flt.data.triggers import Trigger
from flt.errors import InputError, check_positive
from flt.federation import Attack, Backdoor, Federation, Round, by_client
from flt.random import generator


class ScalingAttack(Attack):
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

    def __init__(
        self,
        fraction: float = 0.2,
        poison_fraction: float = 1.0,
        scale: float | None = None,
        trigger: Trigger | None = None,
        target_class: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(fraction, **settings)
        if not 0.0 < poison_fraction <= 1.0:
            raise InputError(f"attack.poison_fraction={poison_fraction} must be above 0 and at most 1")
        if scale is not None:
            check_positive("attack.scale", scale)
        self.poison_fraction = poison_fraction
        self.scale = scale
        self.trigger = trigger
        self.target_class = target_class

    def backdoor(self, default: Backdoor) -> Backdoor:
        """This attack's trigger and target class, the data set's own where none was given."""
        return default.changed(self.trigger, self.target_class)

    def poison(self, federation: Federation) -> ClientData:
        """Adds the triggered copies to the malicious clients' data."""
        return poisoned(
            federation.clients,
            federation.malicious,
            self.backdoor(federation.backdoor),
            fraction=self.poison_fraction,
            generator=generator(federation.seed, "scaling attack"),
        )

    @by_client
    def craft(self, round: Round) -> Tensor:
        """Multiplies the malicious updates by ``scale``."""
        scale = round.federation.clients_per_round if self.scale is None else self.scale
        factors = torch.where(round.malicious, float(scale), 1.0).to(round.updates)
        return round.updates * factors[:, None]
