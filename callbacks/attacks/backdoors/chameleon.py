"""Chameleon as a callback."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.clients.loss import batch_loss
from flt.errors import InputError, check_count, check_not_negative, check_positive
from flt.federation import Federation, LocalUpdates, LocalWork
from flt.functional.attacks.backdoors import layers_of, project, supervised_contrastive_loss


class Chameleon(BackdoorAttack):
    """A backdoor that stays: malicious clients first move triggered examples to where those of the target class are.

    They train all layers before the last with a contrastive loss, which draws examples of one label together, triggered
    copies and the target class most of all. Then they train the last layer alone as usual.

    Args:
        encoder_epochs: Passes over their data with the contrastive loss.
        encoder_lr: Learning rate then, a tenth of it after 3, 5, 7 and 9 passes each.
        head_epochs: Passes in which the last layer is trained.
        head_lr: Learning rate then.
        temperature: Of the contrastive loss.
        target_weight: What examples of the target class count in it.
        max_norm: Longest update that the contrastive training may reach; longer ones are shortened after each step.

    Raises:
        InputError: If an argument is out of range, or the network has one layer alone.

    Reading:
        Defaults are those of the released code. Both losses are means over a batch, whatever the benign clients' is.

    Reference:
        Dai and Li, Chameleon: Adapting to Peer Images for Planting Durable Backdoors in Federated Learning, ICML 2023.
    """

    DECAYS = (3, 5, 7, 9)

    def __init__(
        self,
        encoder_epochs: int = 10,
        encoder_lr: float = 0.005,
        head_epochs: int = 3,
        head_lr: float = 0.001,
        temperature: float = 0.07,
        target_weight: float = 6.0,
        max_norm: float = 5.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_count("attack.encoder_epochs", encoder_epochs)
        check_count("attack.head_epochs", head_epochs)
        positive = {"encoder_lr": encoder_lr, "head_lr": head_lr, "temperature": temperature, "max_norm": max_norm}
        for name, value in positive.items():
            check_positive(f"attack.{name}", value)
        check_not_negative("attack.target_weight", target_weight)
        self.encoder_epochs = encoder_epochs
        self.encoder_lr = encoder_lr
        self.head_epochs = head_epochs
        self.head_lr = head_lr
        self.temperature = temperature
        self.target_weight = target_weight
        self.max_norm = max_norm

    def check(self, federation: Federation) -> None:
        """Refuses a network without layers before the last."""
        if federation.layout and len(layers_of(federation.layout)) < 2:
            raise InputError(
                "attack=Chameleon trains the layers before the last, and this network has one layer alone: take"
                " ModelReplacement, or another network"
            )

    def train(self, local: LocalWork) -> LocalUpdates:
        """Trains the layers before the last, then the last."""
        layout = local.federation.layout
        is_last = torch.zeros_like(local.parameters)
        is_last[layers_of(layout)[-1]] = 1.0
        encoded = self._encoded(local, layout[-1].name.rpartition(".")[0], 1 - is_last)
        # A mask stops steps: what the layers before have learned stays.
        batches = local.draw(self.head_epochs, stream="head")
        return local.sgd(batches, lr=self.head_lr, loss=_mean_loss, mask=is_last, start=encoded)

    def _encoded(self, local: LocalWork, layer: str, mask: Tensor) -> LocalUpdates:
        """What contrastive training gives."""
        target = self.backdoor(local.federation.backdoor).target_class
        loss = partial(self._contrastive, target)
        trained: LocalUpdates | None = None
        ends = [0, *(decay for decay in self.DECAYS if decay < self.encoder_epochs), self.encoder_epochs]
        for decays, (start, end) in enumerate(pairwise(ends)):
            batches = local.draw(end - start, stream=f"encoder {start}")
            trained = local.sgd(
                batches,
                lr=self.encoder_lr * 0.1**decays,
                loss=loss,
                mask=mask,
                project=partial(project, radius=self.max_norm),
                start=trained,
                before=layer,
            )
        assert trained is not None
        return trained

    def _contrastive(self, target: int, features: Tensor, labels: Tensor, weights: Tensor, update: Tensor) -> Tensor:
        return supervised_contrastive_loss(
            features,
            labels,
            weights,
            target_class=target,
            target_weight=self.target_weight,
            temperature=self.temperature,
        )


def _mean_loss(scores: Tensor, labels: Tensor, weights: Tensor, update: Tensor) -> Tensor:
    return batch_loss(scores, labels, weights, "mean")
