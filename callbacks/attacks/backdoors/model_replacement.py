"""Model replacement as a callback."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from callbacks.attacks.backdoors.own_training import OwnTraining, backdoor_losses
from flt.errors import InputError, check_positive, check_share
from flt.federation import LocalBatches, LocalUpdates, LocalWork, Round
from flt.functional.attacks.backdoors import model_replacement


class ModelReplacement(OwnTraining):
    """A backdoor: malicious clients train a model that has it, and scale it up until it takes the global one's place.

    Args:
        scale: Factor gamma of what is sent; null is ``n / (server_lr m)`` for n clients in the round, m of them
            malicious.
        max_norm: Length of what is sent in place of a factor (train-and-scale, S); null for a factor.
        by_examples: Whether the factor is ``sum_j n_j / (server_lr m n_i)``, which replaces the model under a mean
            weighted by the numbers n_j of examples, such as FedAvg's.
        alpha: Share of the examples' loss in constrain-and-scale; the rest is the distance from the global model.
        stop_loss: Loss on poisoned examples below which a client stops training, looked at after each of its
            ``epochs``; null for never.
        lr_decay: Factor of the learning rate after 20 % and after 80 % of the ``epochs``.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Bagdasaryan et al., How To Backdoor Federated Learning, AISTATS 2020, Algorithm 1.

    Reading:
        The statistics of batch normalisation are sent as they are. The loss on poisoned examples is that of the
        examples of the target class in the batches that the client would usually be given. The authors' code has 15
        passes with ``lr_decay`` 0.1, ``stop_loss`` 1e-4 and ``alpha`` 1.
    """

    def __init__(
        self,
        scale: float | None = None,
        max_norm: float | None = None,
        by_examples: bool = False,
        alpha: float = 1.0,
        stop_loss: float | None = None,
        lr_decay: float = 1.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        for name, value in {"scale": scale, "max_norm": max_norm, "stop_loss": stop_loss, "lr_decay": lr_decay}.items():
            if value is not None:
                check_positive(f"attack.{name}", value)
        check_share("attack.alpha", alpha)
        if scale is not None and max_norm is not None:
            raise InputError(f"attack.scale={scale} and attack.max_norm={max_norm} are two lengths: leave out one")
        if by_examples and (scale is not None or max_norm is not None):
            rank_zero_warn("attack.by_examples has no effect with attack.scale or attack.max_norm")
        if self.epochs in (None, 1) and (stop_loss is not None or lr_decay != 1.0):
            rank_zero_warn("attack.stop_loss and attack.lr_decay have no effect with fewer than 2 attack.epochs")
        self.scale = scale
        self.max_norm = max_norm
        self.by_examples = by_examples
        self.alpha = alpha
        self.stop_loss = stop_loss
        self.lr_decay = lr_decay

    def train(self, local: LocalWork) -> LocalUpdates | None:
        """Trains pass by pass, as far as something is set that usual training has not."""
        loss = None if self.alpha == 1.0 else partial(self._constrained, local)
        if self.epochs is None:
            is_usual = loss is None and self.poison_lr is None
            return None if is_usual else local.sgd(local.batches, lr=self.poison_lr, loss=loss)
        target = self.backdoor(local.federation.backdoor).target_class
        lr, trained = self.poison_lr or local.client_lr, local.sgd(self._pass(local, 0), lr=self.poison_lr, loss=loss)
        for number in range(1, self.epochs):
            going = torch.ones_like(trained.losses, dtype=torch.bool)
            if self.stop_loss is not None:
                going = backdoor_losses(local, trained, target) >= self.stop_loss
            if not going.any():
                break
            decays = sum(number >= share * self.epochs for share in (0.2, 0.8))
            after = local.sgd(self._pass(local, number), lr=lr * self.lr_decay**decays, loss=loss, start=trained)
            pairs = zip(after, trained, strict=True)
            trained = LocalUpdates(*(torch.where(going.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))
        return trained

    @staticmethod
    def _pass(local: LocalWork, number: int) -> LocalBatches:
        return local.draw(stream=f"pass {number}")

    def _constrained(self, local: LocalWork, scores: Tensor, labels: Tensor, weights: Tensor, update: Tensor) -> Tensor:
        """The loss of constrain-and-scale."""
        loss: Tensor = self.alpha * local.usual_loss(scores, labels, weights) + (1 - self.alpha) * update.norm()
        return loss

    @property
    def works_alone(self) -> bool:
        """Whether a malicious client needs to know nothing of others: where factor or length is given."""
        return self.scale is not None or self.max_norm is not None

    def craft(self, round: Round) -> Tensor:
        """Applies `flt.functional.model_replacement`."""
        return model_replacement(
            round.updates,
            round.malicious,
            scale=self.scale,
            max_norm=self.max_norm,
            server_lr=round.federation.server_lr,
            num_examples=round.num_examples if self.by_examples else None,
            total=round.total_examples if self.by_examples else round.num_participants,
        )
