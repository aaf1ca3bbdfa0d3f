"""How everyone trains: the settings that all clients share, and that stay the same for a whole run."""

from dataclasses import dataclass
from typing import Any

from flt.clients.loss import LossReduction
from flt.errors import check_choice


@dataclass(frozen=True)
class LocalSettings:
    """How all clients train on their batches, and the server on its root dataset.

    Args:
        loss_reduction: Whether the batch loss is the "sum" over its examples or their "mean".

    Raises:
        InputError: If one of them is out of range.
    """

    loss_reduction: LossReduction = "sum"

    def __post_init__(self) -> None:
        check_choice("model.loss_reduction", self.loss_reduction, LossReduction)

    def plain(self) -> dict[str, Any]:
        """All of them by the names that users give them, as plain values, to tell runs apart that train differently."""
        return {"loss_reduction": self.loss_reduction}


USUAL_SETTINGS = LocalSettings()
"""Plain steps on the sum of a batch's losses."""
