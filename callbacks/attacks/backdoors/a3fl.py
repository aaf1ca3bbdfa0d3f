"""A3FL as a callback."""

from typing import Any

import torch
from torch import Tensor

from callbacks.attacks.backdoors.triggered import triggered
from flt.data.triggers import LearntTrigger, Trigger
from flt.errors import check_count, check_not_negative, check_positive, check_share
from flt.federation import Attack, Backdoor, Federation, LocalUpdates, LocalWork, Memory
from flt.functional.attacks.backdoors import agreement_of_layers, trigger_loss, trigger_step


class A3FL(Attack):
    """A backdoor whose trigger is learnt anew in each round, against a model that was trained to ignore it.

    The first malicious client of a round learns the values of the trigger on its own data, by steps against the sign of
    the gradient of ``L(w) + strength * cos * L(w')``. L is the loss of triggered examples with the target class; w' is
    the global model w trained further on triggered examples with their true labels; cos is how much the gradients of
    both models agree. All malicious clients embed the trigger in part of their batches.

    Args:
        trigger: Pattern whose places the trigger has and from whose values it starts; null is the data set's own.
        target_class: Class the triggered examples are to be taken for; null is the data set's own.
        poison_fraction: Part of each batch that gets the trigger and the target class, rounded up.
        iterations: Steps of the trigger in a round, a batch each.
        step: Length of a step, in the data set's units.
        strength: What the adversarial model counts (lambda).
        adversary_epochs: Passes over its data by which that client trains the adversarial model.
        renew_every: Steps after which that model is trained anew.
        epochs: Passes over their data in local training; null for the batches that everyone trains on.

    Raises:
        InputError: If an argument is out of range, or the trigger overwrites nothing.

    Reading:
        The released code renews the adversarial model before every step but the first, which takes 200 trainings a
        round: 20 is the default here. It compares gradients layer by layer; here they are those of L in both models.
        A trigger's values stay within those of the client's own examples.

    Reference:
        Zhang, Jia, Chen, Lin and Wu, A3FL: Adversarially Adaptive Backdoor Attacks to Federated Learning, NeurIPS 2023.
    """

    def __init__(
        self,
        trigger: Trigger | None = None,
        target_class: int | None = None,
        poison_fraction: float = 0.25,
        iterations: int = 200,
        step: float = 0.01,
        strength: float = 0.01,
        adversary_epochs: int = 5,
        renew_every: int = 20,
        epochs: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        check_share("attack.poison_fraction", poison_fraction)
        counts = {"adversary_epochs": adversary_epochs, "renew_every": renew_every, "epochs": epochs}
        for name, value in {"iterations": iterations, **counts}.items():
            check_count(f"attack.{name}", value)
        check_positive("attack.step", step)
        check_not_negative("attack.strength", strength)
        self.trigger = trigger
        self.target_class = target_class
        self.poison_fraction = poison_fraction
        self.iterations = iterations
        self.step = step
        self.strength = strength
        self.adversary_epochs = adversary_epochs
        self.renew_every = renew_every
        self.epochs = epochs

    def check(self, federation: Federation) -> None:
        """Refuses a trigger that overwrites nothing."""
        LearntTrigger.at_the_places_of(self.backdoor(federation.backdoor).trigger, federation.clients.features[0])

    def backdoor(self, default: Backdoor) -> Backdoor:
        """The backdoor before a trigger was learnt."""
        return default.changed(self.trigger, self.target_class)

    def current_backdoor(self, default: Backdoor, memory: Memory) -> Backdoor:
        """The backdoor with the trigger learnt last."""
        if "values" not in memory:
            return self.backdoor(default)
        learnt = LearntTrigger.at_the_places_of(self.backdoor(default).trigger, memory["values"])
        return self.backdoor(default).changed(LearntTrigger(learnt.mask, memory["values"]), None)

    def prepare(self, local: LocalWork) -> Memory | None:
        """Learns the trigger, on the data of the first malicious client that has any."""
        owners = local.honest.sizes.any(dim=1).nonzero().flatten()
        if not len(owners):
            return None
        work = local.of(owners[:1], local.memory)
        backdoor = self.current_backdoor(local.federation.backdoor, local.memory)
        batches = work.draw(honest=True, stream="trigger")
        size = int(batches.sizes[0, 0])
        low, high = (float(bound) for bound in batches.features[0, :, :size].aminmax())
        trigger = LearntTrigger.at_the_places_of(backdoor.trigger, batches.features[0, 0, 0])
        for iteration in range(self.iterations):
            if iteration % self.renew_every == 0:
                models, weight = self._models(work, trigger, backdoor.target_class, iteration // self.renew_every)
            features = batches.features[0, iteration % batches.features.shape[1], :size]
            values = trigger.values.detach().requires_grad_()
            with torch.enable_grad():
                scores = work.logits(models, LearntTrigger(trigger.mask, values)(features))
                loss = trigger_loss(scores, backdoor.target_class, weight)
                gradient = torch.autograd.grad(loss, values)[0]
            moved = trigger_step(trigger.values, gradient, step=self.step, low=low, high=high)
            trigger = LearntTrigger(trigger.mask, torch.where(trigger.mask, moved, trigger.values))
        return {"values": trigger.values}

    def train(self, local: LocalWork) -> LocalUpdates:
        """Trains on batches in part of which the trigger is embedded."""
        backdoor = self.current_backdoor(local.federation.backdoor, local.memory)
        batches = local.honest if self.epochs is None else local.draw(self.epochs, honest=True)
        return local.sgd(triggered(batches, backdoor, self.poison_fraction))

    def _models(self, work: LocalWork, trigger: Trigger, target: int, number: int) -> tuple[Tensor, float]:
        """Updates of the global and of the adversarial model, shape ``[2, num_params]``, and what the latter counts."""
        batches = work.draw(self.adversary_epochs, honest=True, stream=f"adversary {number}")
        marked = trigger(batches.features.flatten(0, 2)).view_as(batches.features)
        adversarial = work.sgd(batches._replace(features=marked)).updates[0]
        models = torch.stack([torch.zeros_like(adversarial), adversarial]).requires_grad_()
        with torch.enable_grad():
            scores = work.logits(models, marked[0, 0, : int(batches.sizes[0, 0])])
            ours, theirs = torch.autograd.grad(trigger_loss(scores, target, 1.0), models)[0]
        agreement = agreement_of_layers(ours, theirs, work.federation.layout)
        return models.detach(), self.strength * agreement
