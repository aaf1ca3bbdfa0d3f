"""The attack on backdoor-critical layers as a callback."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from callbacks.attacks.backdoors.base import BackdoorAttack
from flt.errors import check_count, check_positive, check_share
from flt.federation import Federation, LocalUpdates, LocalWork, Memory
from flt.functional.attacks.backdoors import critical_layers, layers_of, with_critical_layers
from flt.functional.attacks.backdoors.critical_layers import Success


class CriticalLayers(BackdoorAttack):
    """A backdoor in the few layers that it needs; in all others malicious clients send what benign training gives.

    Each malicious client trains with and without triggered copies of its data, finds the layers without which the
    backdoor fails, and sends them in the mean of all malicious clients' benign updates.

    Args:
        share: How much of its malicious model's success the critical layers must have by themselves (tau).
        boost: Factor of the critical layers (lambda); below 1 the rest is the benign mean's.
        epochs: Passes over their data in both trainings; null for the batches that everyone trains on.
        validation_size: Examples of its own on which a client measures success in a round, at most; null for all.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        A layer is a module with parameters of its own. Success is measured on the client's own examples of other
        classes; of a trigger that is no pattern, on those of its own examples that the trigger relabels, or on those
        that it brings along. Released code has a boost of 1 for ResNets and 0.5 for CNNs, and a share of 0.95 where it
        adapts to the defence.

    Reference:
        Zhuang, Yu, Wang and Xu, Backdoor Federated Learning by Poisoning Backdoor-Critical Layers, ICLR 2024.
    """

    def __init__(
        self,
        share: float = 0.8,
        boost: float = 1.0,
        epochs: int | None = None,
        validation_size: int | None = 64,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_share("attack.share", share)
        check_positive("attack.boost", boost)
        check_count("attack.epochs", epochs)
        check_count("attack.validation_size", validation_size)
        self.share = share
        self.boost = boost
        self.epochs = epochs
        self.validation_size = validation_size

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The mean of the benign updates."""
        return num_params

    def prepare(self, local: LocalWork) -> Memory | None:
        """The mean of what all malicious clients of the round train without the backdoor."""
        return {"mean": self._benign(local).updates.mean(dim=0)} if len(local.client_ids) else None

    def train(self, local: LocalWork) -> LocalUpdates:
        """Finds each client's critical layers and puts them into the benign mean."""
        benign = self._benign(local)
        malicious = local.trained if self.epochs is None else local.sgd(local.draw(self.epochs))
        layers = layers_of(local.federation.layout)
        examples = self._examples(local.federation)
        rows = []
        for k, client in enumerate(local.client_ids.tolist()):
            success = self._success(local, client, examples(client), benign.statistics[k])
            mask = critical_layers(benign.updates[k], malicious.updates[k], layers, success, share=self.share)
            rows.append(with_critical_layers(mask, local.memory["mean"], malicious.updates[k], boost=self.boost))
        return LocalUpdates(torch.stack(rows), malicious.losses, benign.statistics)

    def _benign(self, local: LocalWork) -> LocalUpdates:
        batches = local.honest if self.epochs is None else local.draw(self.epochs, honest=True)
        return local.sgd(batches)

    def _examples(self, federation: Federation) -> Callable[[int], Tensor]:
        """From a client to the examples on which it measures success, as yet without the pattern."""
        clients, backdoor = federation.honest or federation.clients, self.backdoor(federation.backdoor)
        chosen, brought = clients.labels != backdoor.target_class, None
        if backdoor.trigger.in_place:  # examples of other classes have nothing of the backdoor
            chosen = backdoor.trigger.chosen(clients, federation.malicious, backdoor.target_class)
            brought = backdoor.trigger.brought(clients, federation.malicious)
        offsets = clients.offsets.tolist()

        def of(client: int) -> Tensor:
            own = slice(offsets[client], offsets[client + 1])
            return clients.features[own][chosen[own]] if brought is None else brought.features

        return of

    def _success(self, local: LocalWork, client: int, examples: Tensor, statistics: Tensor) -> Success:
        """How often models of ``w + updates`` take a client's triggered examples for the target class."""
        backdoor = self.backdoor(local.federation.backdoor)
        order = torch.randperm(len(examples), generator=local.generator("validation", client))
        triggered = backdoor.trigger(examples[order[: self.validation_size].to(examples.device)])

        def success(updates: Tensor) -> Tensor:
            if not len(triggered):
                return updates.new_zeros(len(updates))
            scores = local.logits(updates, triggered, statistics.expand(len(updates), -1))
            return (scores.argmax(dim=-1) == backdoor.target_class).double().mean(dim=1)

        return success
