"""What an attack can have computed by malicious clients, with data of theirs."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from flt.clients.batches import LocalBatches
from flt.clients.one_by_one import LocalUpdates
from flt.clients.recipe import Loss, Projection
from flt.federation.memory import Memory
from flt.federation.round import Federation


class LocalWork(Protocol):
    """The local training of some malicious clients in a round, which an attack may do in its own way.

    Features of batches are in the data set's units, augmented where the data set's are: a trigger can be embedded in
    them. Rows of all tensors correspond to ``client_ids``. Nothing that is asked leaves a trace in a state or a random
    stream.
    """

    @property
    def number(self) -> int:
        """The round, counted from 0."""

    @property
    def client_ids(self) -> Tensor:
        """Who they are, shape ``[num_clients]``, ascending, on the CPU."""

    @property
    def parameters(self) -> Tensor:
        """The global model's, w, shape ``[num_params]``."""

    @property
    def client_lr(self) -> float:
        """The clients' learning rate in the round."""

    @property
    def federation(self) -> Federation:
        """What stays the same for a whole run."""

    @property
    def memory(self) -> Memory:
        """What the attack has kept, of earlier rounds and of `Attack.prepare` in this one."""

    @property
    def batches(self) -> LocalBatches:
        """What usual training gives them to train on: of their data as the attack has poisoned them."""

    @property
    def honest(self) -> LocalBatches:
        """What they would train on without the attack: of their data as they were."""

    @property
    def trained(self) -> LocalUpdates:
        """What usual training on `batches` has made; not there before the clients have trained."""

    def draw(
        self, epochs: int = 1, *, steps: int | None = None, honest: bool = False, stream: str = "draw"
    ) -> LocalBatches:
        """Further batches of each client's data, in passes over all of its examples in an order drawn anew.

        Args:
            epochs: Passes, from 1; a client with fewer examples has fewer batches. The last batch is filled from the
                beginning of a further pass.
            steps: Batches of each client, in place of passes.
            honest: Whether to draw from their data as they were before the attack.
            stream: Calls that name the same one draw the same.
        """

    def sgd(
        self,
        batches: LocalBatches,
        *,
        lr: float | None = None,
        loss: Loss | None = None,
        mask: Tensor | None = None,
        project: Projection | None = None,
        start: LocalUpdates | None = None,
        before: str | None = None,
    ) -> LocalUpdates:
        """Local training from the global model, one step a batch; with nothing set it is the usual one.

        What holds for everyone holds here: clipping, weight decay, the clients' optimizer or momentum, from what a
        client had kept before the round; the proximal term beside the usual loss alone. What a client keeps for the
        next round is that of usual training, whatever is asked here.

        Args:
            batches: What each client trains on.
            lr: Learning rate, also of a clients' optimizer; None for ``client_lr``. Below 0 the loss is climbed, and
                weight decay and the proximal term hold as ever; the momentum, or what else a client had kept, is turned
                around.
            loss: Loss of one client's batch, given its scores ``[batch_size, num_classes]``, labels, weights (1, and 0
                for padding) and update so far ``[num_params]``; a number with a gradient at scores and update. None for
                `usual_loss`.
            mask: Factor of each coordinate of gradients and of what comes out, shape ``[num_params]``, or
                ``[num_clients, num_params]`` of each client.
            project: What becomes of a client's update ``[num_params]`` after each step.
            start: From where the clients go on, what an earlier call gave.
            before: Name of a layer, as ``federation.layout`` has it; the loss is given what this layer is given,
                ``[batch_size, width]``, in place of the scores.
        """

    def usual_loss(self, scores: Tensor, labels: Tensor, weights: Tensor, update: Tensor | None = None) -> Tensor:
        """The loss that clients usually minimise, sum or mean over a batch as ``model.loss_reduction`` says.

        Arguments are those of a ``loss`` of `sgd`; the update makes no difference.
        """

    def logits(self, updates: Tensor, features: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Class scores of the models ``w + updates``, as in an evaluation; with gradients where tensors require them.

        Args:
            updates: Shape ``[num_updates, num_params]``, or ``[num_params]`` of one.
            features: Examples in the data set's units, shape ``[num_examples, *shape]``, or ``[num_updates,
                num_examples, *shape]`` of each.
            statistics: By how much the running statistics of batch normalisation differ from the global model's, as in
                ``trained.statistics``; None for not at all.

        Returns:
            Shape ``[num_updates, num_examples, num_classes]``, or ``[num_examples, num_classes]`` of one update.
        """

    def generator(self, stream: str, client: int | None = None) -> torch.Generator:
        """Fresh random numbers on the CPU: of one client, by its id, or the same for all.

        Those of a client do not depend on who else is in its part of the round.
        """

    def of(self, some: Tensor, memory: Memory, federation: Federation | None = None) -> LocalWork:
        """The work of some of the clients, a boolean mask or indices, with another memory.

        Args:
            some: Which clients.
            memory: What their attack has kept.
            federation: As their attack sees it, with the seed of its random numbers; None for the same.
        """
