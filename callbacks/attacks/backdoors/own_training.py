"""What backdoors share whose local training has a length and a learning rate of its own."""

from abc import ABC
from typing import Any

import torch
from torch import Tensor

from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.errors import check_count, check_positive
from flt.federation import LocalUpdates, LocalWork


class OwnTraining(BackdoorAttack, ABC):
    """Base class of backdoors whose local training has a length and a learning rate of its own.

    Args:
        epochs: Passes of a malicious client over its data in a round; null is ``model.local_steps`` batches.
        poison_lr: Learning rate of malicious clients; null is that of all clients.

    Raises:
        InputError: If an argument is out of range.
    """

    def __init__(self, epochs: int | None = None, poison_lr: float | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        check_count("attack.epochs", epochs)
        if poison_lr is not None:
            check_positive("attack.poison_lr", poison_lr)
        self.epochs = epochs
        self.poison_lr = poison_lr

    def trained(self, local: LocalWork, **recipe: Any) -> LocalUpdates:
        """What malicious clients learn in so many passes with that learning rate.

        Args:
            local: Their work.
            **recipe: What else is another than usual; see `flt.federation.LocalWork.sgd`.
        """
        batches = local.batches if self.epochs is None else local.draw(self.epochs)
        return local.sgd(batches, lr=self.poison_lr, **recipe)


def backdoor_losses(local: LocalWork, trained: LocalUpdates, target_class: int) -> Tensor:
    """Mean loss of each client's model on those of its batches' examples that are of the target class.

    Args:
        local: The clients' work.
        trained: Their models.
        target_class: The class that poisoned examples have been given.

    Returns:
        Shape ``[num_clients]``; infinite for a client without such an example.
    """
    batches = local.batches
    features, labels = batches.features.flatten(1, 2), batches.labels.flatten(1, 2)
    present = labels == target_class
    if batches.weights is not None:
        present &= batches.weights.flatten(1, 2) == 1
    scores = local.logits(trained.updates, features, trained.statistics)
    losses = torch.nn.functional.cross_entropy(scores.transpose(1, 2), labels, reduction="none")
    total = torch.where(present, losses, 0.0).sum(dim=1)
    return torch.where(present.any(dim=1), total / present.sum(dim=1).clamp(min=1), torch.inf)
