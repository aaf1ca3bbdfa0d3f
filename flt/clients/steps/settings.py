"""How everyone trains: the settings that all clients share, and that stay the same for a whole run."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from flt.clients.loss import LossReduction
from flt.errors import check_choice, check_not_negative


@dataclass(frozen=True)
class LocalSettings:
    """How all clients train on their batches, and the server on its root dataset.

    Args:
        loss_reduction: Whether the batch loss is the "sum" over its examples or their "mean".
        weight_decay: Factor of the weights in what is added to every gradient.

    Raises:
        InputError: If one of them is out of range.
    """

    loss_reduction: LossReduction = "sum"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_choice("model.loss_reduction", self.loss_reduction, LossReduction)
        check_not_negative("model.client_weight_decay", self.weight_decay)

    @property
    def changes_gradients(self) -> bool:
        """Whether steps go along anything but the gradient of the loss."""
        return self.weight_decay > 0

    def direction(self, gradient: Tensor, parameters: Tensor, update: Tensor | None = None) -> Tensor:
        """What clients go against in a step: ``g + weight_decay * w_i``.

        Args:
            gradient: Of the loss at ``w_i``, shape ``[..., num_params]``; it may be overwritten.
            parameters: The global model's, w, shape ``[num_params]``.
            update: Where the clients are by now, ``w_i - w``, of the gradient's shape; None for at the start.
        """
        if self.weight_decay:
            gradient.add_(parameters if update is None else parameters + update, alpha=self.weight_decay)
        return gradient

    def plain(self) -> dict[str, Any]:
        """All of them by the names that users give them, as plain values, to tell runs apart that train differently."""
        return {"loss_reduction": self.loss_reduction, "client_weight_decay": self.weight_decay}


USUAL_SETTINGS = LocalSettings()
"""Plain steps on the sum of a batch's losses."""
