"""Local training of all sampled clients at once."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

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
    with `torch.func`, in chunks.

    Args:
        network: Module whose architecture is trained; its own parameters are not touched.
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
        """Trains every client on its batches from the flat global ``parameters``, shape ``[num_params]``."""

        def train(features: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
            # Summing the steps, rather than subtracting two parameter vectors, keeps the update's small digits.
            update, loss = torch.zeros_like(parameters), torch.zeros((), device=parameters.device)
            for step in range(labels.shape[0]):
                gradient, (_, loss) = grad_and_value(self._loss, has_aux=True)(
                    parameters + update if step else parameters, features[step], labels[step], weights[step]
                )
                update = update - client_lr * gradient
            return update, loss

        chunk = self._chunk_size(parameters, batches)
        return LocalUpdates(*vmap(train, chunk_size=chunk)(*batches))

    def _loss(self, parameters: Tensor, features: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        logits = functional_call(self.network, self.unflatten(parameters), (features,))
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        total = (losses * weights).sum()
        mean = total / weights.sum().clamp(min=1.0)
        return (total if self.loss_reduction == "sum" else mean), mean.detach()

    def unflatten(self, vector: Tensor) -> dict[str, Tensor]:
        """The flat ``vector``, shape ``[num_params]``, as a dictionary of named parameters (views)."""
        named = dict(self.network.named_parameters())
        pieces = vector.split([parameter.numel() for parameter in named.values()])
        return {name: piece.view_as(named[name]) for name, piece in zip(named, pieces, strict=True)}

    def flatten(self) -> Tensor:
        """The network's own parameters as one vector, shape ``[num_params]``, detached."""
        return torch.cat([parameter.detach().flatten() for parameter in self.network.parameters()])

    def _chunk_size(self, parameters: Tensor, batches: LocalBatches) -> int | None:
        if self.clients_per_chunk != "auto":
            return self.clients_per_chunk
        per_client = max(parameters.numel(), batches.features[0].numel())
        size = max(1, AUTO_CHUNK.get(parameters.device.type, AUTO_CHUNK["cpu"]) // per_client)
        return size if size < len(batches.labels) else None
