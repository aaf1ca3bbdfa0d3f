"""What every backdoor has: a trigger, a target class, and examples that teach it."""

from abc import ABC
from typing import Any

from flt.data.backdoor import poisoned
from flt.data.examples import ClientData
from flt.data.triggers import Trigger
from flt.errors import check_share
from flt.federation import Attack, Backdoor, Federation
from flt.random import generator


class BackdoorAttack(Attack, ABC):
    """Base class of backdoors: malicious clients train on triggered copies of their data as well.

    Each malicious client copies a fraction of its examples, embeds the trigger in the copies, labels them with the
    target class and trains on the union. Benign clients draw the batches that they draw without the attack.

    Args:
        fraction: Fraction of the clients that are malicious.
        poison_fraction: Fraction p of a malicious client's examples that are copied.
        trigger: Pattern to embed; null is the data set's own.
        target_class: Class the triggered examples are to be taken for; null is the data set's own.

    Raises:
        InputError: If an argument is out of range.
    """

    stream: str = "backdoor"
    """Name of the random numbers by which the copied examples are chosen."""

    def __init__(
        self,
        fraction: float = 0.2,
        poison_fraction: float = 1.0,
        trigger: Trigger | None = None,
        target_class: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(fraction, **settings)
        check_share("attack.poison_fraction", poison_fraction)
        self.poison_fraction = poison_fraction
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
            generator=generator(federation.seed, self.stream),
        )
