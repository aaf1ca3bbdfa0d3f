"""Local training of all sampled clients at once."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from flt import layerwise
from flt.batches import LocalBatches

LossReduction = Literal["sum", "mean"]

# Numbers held at once per chunk (gradients or inputs, whichever is more) when `clients_per_chunk` is "auto": on a CPU
# what stays in its caches, on a GPU 1 GiB.
AUTO_CHUNK = {"cpu": 2**20, "cuda": 2**28}


class LocalUpdates(NamedTuple):
    """What local training yields.

    Attributes:
        updates: ``w_i - w``, shape ``[num_clients, num_params]``, float32.
        losses: Mean loss over the examples of the client's last batch, shape ``[num_clients]``; 0 without examples.
    """

    updates: Tensor
    losses: Tensor


@dataclass(frozen=True)
class LocalTraining:
    """Runs SGD on every client's batches from the same global model and returns the flat updates.

    ``w_i <- w_i - client_lr * grad Loss(batch; w_i)`` once per local step, from ``w_i = w``; vectorised over clients
    with `torch.func`, or by layers where a single step allows it (`flt.layerwise`), in chunks.

    Args:
        network: Module whose architecture is trained; its own parameters are not touched. Those with
            ``requires_grad=False`` stay as they are and are no part of an update.
        loss_reduction: Whether the batch loss is the "sum" over its examples (the paper's learning rates assume it) or
            their "mean".
        clients_per_chunk: Clients trained at once, or "auto".

    Reference:
        Cao et al., FLTrust, NDSS 2021, Algorithm 1.
    """

    network: nn.Module
    loss_reduction: LossReduction = "sum"
    clients_per_chunk: int | Literal["auto"] = "auto"

    def __call__(self, parameters: Tensor, batches: LocalBatches, *, client_lr: float) -> LocalUpdates:
        """Trains every client on its batches from the network's own ``parameters``, flat, shape ``[num_params]``."""
        chunk = self._chunk_size(parameters, batches)
        if batches.labels.shape[1] == 1 and self._by_layers:
            # All clients still share the global weights: one pass does for all of them.
            pieces = zip(*(torch.split(piece, chunk) for piece in batches), strict=True)
            trained = [self._first_step(*piece, client_lr=client_lr) for piece in pieces]
            if len(trained) == 1:
                return trained[0]
            return LocalUpdates(*(torch.cat(parts) for parts in zip(*trained, strict=True)))
        train = partial(self._train, parameters, client_lr)
        return LocalUpdates(*vmap(train, chunk_size=chunk)(*batches))

    @cached_property
    def _by_layers(self) -> bool:
        return layerwise.supports(self.network)

    @cached_property
    def _parameters(self) -> dict[str, nn.Parameter]:
        return {name: weight for name, weight in self.network.named_parameters() if weight.requires_grad}

    def _first_step(self, features: Tensor, labels: Tensor, weights: Tensor, *, client_lr: float) -> LocalUpdates:
        """A chunk's only local step, ``labels`` of shape ``[num_clients, 1, batch_size]``."""
        labels, weights = labels[:, 0], weights[:, 0]
        gradients, losses = layerwise.client_gradients(
            self.network, features[:, 0], lambda scores: self._losses(scores, labels, weights)
        )
        return LocalUpdates(gradients.mul_(-client_lr), losses)

    def _train(
        self, parameters: Tensor, client_lr: float, features: Tensor, labels: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One client's local steps, ``labels`` of shape ``[local_steps, batch_size]``; vectorised by the caller."""

        def objective(flat: Tensor, step: int) -> tuple[Tensor, Tensor]:
            scores = functional_call(self.network, self.unflatten(flat), (features[step],))
            return self._losses(scores, labels[step], weights[step])

        # Summing the steps, rather than subtracting two parameter vectors, keeps the update's small digits.
        update, loss = torch.zeros_like(parameters), torch.zeros((), device=parameters.device)
        for step in range(labels.shape[0]):
            gradient, loss = grad(objective, has_aux=True)(parameters + update if step else parameters, step)
            update = update - client_lr * gradient
        return update, loss

    def _losses(self, scores: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """What a client minimises, and its mean loss for the log; leading dimensions of ``labels`` are kept."""
        losses = nn.functional.cross_entropy(scores.flatten(0, -2), labels.flatten(), reduction="none")
        total = (losses.view_as(labels) * weights).sum(dim=-1)
        mean = total / weights.sum(dim=-1).clamp(min=1.0)
        return (total if self.loss_reduction == "sum" else mean), mean.detach()

    def unflatten(self, vector: Tensor) -> dict[str, Tensor]:
        """The flat ``vector``, shape ``[num_params]``, as a dictionary of named parameters (views)."""
        pieces = torch.split(vector, [parameter.numel() for parameter in self._parameters.values()])
        named = zip(self._parameters.items(), pieces, strict=True)
        return {name: piece.view_as(parameter) for (name, parameter), piece in named}

    def flatten(self) -> Tensor:
        """The network's own parameters as one vector, shape ``[num_params]``, detached."""
        return torch.cat([parameter.detach().flatten() for parameter in self._parameters.values()])

    def _chunk_size(self, parameters: Tensor, batches: LocalBatches) -> int:
        if self.clients_per_chunk != "auto":
            return self.clients_per_chunk
        per_client = max(parameters.numel(), batches.features[0].numel())
        return max(1, AUTO_CHUNK.get(parameters.device.type, AUTO_CHUNK["cpu"]) // per_client)
