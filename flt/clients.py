"""Local training of all sampled clients at once."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from flt import layerwise
from flt.batches import LocalBatches
from flt.statistics import flatten_statistics, has_batch_statistics, statistics_of

LossReduction = Literal["sum", "mean"]

# Numbers held at once per chunk (gradients or inputs, whichever is more) when `clients_per_chunk` is "auto": on a CPU
# what stays in its caches, on a GPU 1 GiB.
AUTO_CHUNK = {"cpu": 2**20, "cuda": 2**28}


class LocalUpdates(NamedTuple):
    """What local training yields.

    Attributes:
        updates: ``w_i - w``, shape ``[num_clients, num_params]``, float32.
        losses: Mean loss over the examples of the client's last batch, shape ``[num_clients]``; 0 without examples.
        statistics: By how much each client's statistics of batch normalisation moved, shape
            ``[num_clients, num_statistics]``; no columns for a network without any.
    """

    updates: Tensor
    losses: Tensor
    statistics: Tensor


@dataclass(frozen=True)
class LocalTraining:
    """Runs SGD on every client's batches from the same global model and returns the flat updates.

    ``w_i <- w_i - client_lr * grad Loss(batch; w_i)`` once per local step, from ``w_i = w``. There are three ways, with
    the same result: all clients by layers, where a single step allows it (`flt.layerwise`); one client after the other,
    which batch normalisation needs and which is the fastest for convolutions on a CPU; all others vectorised over
    clients with `torch.func`, in chunks.

    Args:
        network: Module whose architecture is trained; it is not touched. Parameters with ``requires_grad=False`` stay
            as they are and are no part of an update.
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
        if not len(batches.labels) or self._goes_one_by_one(parameters.device):
            return self._one_by_one(parameters, batches, client_lr)
        chunk = self._chunk_size(parameters, batches)
        tensors = batches[:3]
        if batches.labels.shape[1] == 1 and self._by_layers:
            # All clients still share the global weights: one pass does for all of them.
            pieces = zip(*(torch.split(piece, chunk) for piece in tensors), strict=True)
            trained = [self._first_step(*piece, client_lr=client_lr) for piece in pieces]
            updates, losses = trained[0] if len(trained) == 1 else map(torch.cat, zip(*trained, strict=True))
        else:
            updates, losses = vmap(partial(self._train, parameters, client_lr), chunk_size=chunk)(*tensors)
        return LocalUpdates(updates, losses, updates.new_zeros(len(updates), 0))

    @cached_property
    def _by_layers(self) -> bool:
        return layerwise.supports(self.network)

    @cached_property
    def needs_one_by_one(self) -> bool:
        """Whether clients cannot share a pass, because a pass over several would mix or move their statistics."""
        return has_batch_statistics(self.network)

    @cached_property
    def _convolves(self) -> bool:
        return any(isinstance(module, nn.modules.conv._ConvNd) for module in self.network.modules())

    @cached_property
    def _parameters(self) -> dict[str, nn.Parameter]:
        return {name: weight for name, weight in self.network.named_parameters() if weight.requires_grad}

    @cached_property
    def _slots(self) -> dict[str, str]:
        """Where in the network each trained parameter and each buffer is used, and its name; a shared one, often."""
        named = {**self._parameters, **dict(self.network.named_buffers())}
        names = {id(tensor): name for name, tensor in named.items()}
        slots: dict[str, str] = {}
        for prefix, module in self.network.named_modules():  # each module once, under whatever names it has
            own = (*module.named_parameters("", False, False), *module.named_buffers("", False, False))
            slots |= {f"{prefix}.{name}".lstrip("."): names[id(tensor)] for name, tensor in own if id(tensor) in names}
        return slots

    def _scores(self, tensors: dict[str, Tensor], features: Tensor) -> Tensor:
        """The network's scores with ``tensors``, by name, in the place of its own."""
        # Not by names alone: a module with two of them would be left with these tensors for good.
        placed = {slot: tensors[name] for slot, name in self._slots.items() if name in tensors}
        scores: Tensor = functional_call(self.network, placed, (features,), tie_weights=False)
        return scores

    def _goes_one_by_one(self, device: torch.device) -> bool:
        # Vectorised over clients, a convolution with weights of each client's own becomes a grouped one: slow on a CPU.
        return self.needs_one_by_one or (self._convolves and device.type == "cpu" and self.clients_per_chunk == "auto")

    # By layers

    def _first_step(
        self, features: Tensor, labels: Tensor, weights: Tensor, *, client_lr: float
    ) -> tuple[Tensor, Tensor]:
        """A chunk's only local step, ``labels`` of shape ``[num_clients, 1, batch_size]``."""
        labels, weights = labels[:, 0], weights[:, 0]
        gradients, losses = layerwise.client_gradients(
            self.network, features[:, 0], lambda scores: self._slope(scores, labels, weights)
        )
        return gradients.mul_(-client_lr), losses

    # Vectorised over clients

    def _train(
        self, parameters: Tensor, client_lr: float, features: Tensor, labels: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One client's local steps, ``labels`` of shape ``[local_steps, batch_size]``; vectorised by the caller."""
        # Summing the steps, rather than subtracting two parameter vectors, keeps the update's small digits.
        update, loss = torch.zeros_like(parameters), torch.zeros((), device=parameters.device)
        for step in range(labels.shape[0]):
            score = partial(self._flat_scores, features=features[step])
            scores, pull_back, *_ = vjp(score, parameters + update if step else parameters)
            slope, loss = self._slope(scores, labels[step], weights[step])
            update = update - client_lr * pull_back(slope)[0]
        return update, loss

    def _flat_scores(self, flat: Tensor, features: Tensor) -> Tensor:
        return self._scores(self.unflatten(flat), features)

    # One after the other

    def _one_by_one(self, parameters: Tensor, batches: LocalBatches, client_lr: float) -> LocalUpdates:
        num_clients, own = len(batches.labels), statistics_of(self.network)
        start, before = self._leaves(parameters), flatten_statistics(own, parameters.device)
        trained = LocalUpdates(
            parameters.new_zeros(num_clients, len(parameters)),
            parameters.new_zeros(num_clients),
            parameters.new_zeros(num_clients, len(before)),
        )
        for client, size in enumerate(batches.sizes.tolist()):
            if size == 0:
                continue
            buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
            update, weights = trained.updates[client], start
            for step in range(batches.labels.shape[1]):
                if step:
                    weights = self._leaves(parameters + update)
                # Without its padding: it would enter the statistics of batch normalisation.
                features, labels = batches.features[client, step, :size], batches.labels[client, step, :size]
                gradient, trained.losses[client] = self._gradient(weights, buffers, features, labels)
                update.sub_(gradient, alpha=client_lr)
            after = flatten_statistics({name: buffers[name] for name in own}, before.device)
            trained.statistics[client] = after - before
        return trained

    def _gradient(
        self, weights: dict[str, Tensor], buffers: dict[str, Tensor], features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One client's gradient, flat, and its mean loss; ``buffers`` are changed in place."""
        with torch.enable_grad():
            scores = self._scores({**weights, **buffers}, _channels_last(features))
            slope, loss = self._slope(scores.detach(), labels, torch.ones_like(labels, dtype=torch.float32))
            gradients = torch.autograd.grad(
                scores, list(weights.values()), slope, allow_unused=True, materialize_grads=True
            )
        return torch.cat([gradient.flatten() for gradient in gradients]), loss

    def _leaves(self, parameters: Tensor) -> dict[str, Tensor]:
        """The flat ``parameters`` as tensors to take a gradient at."""
        pieces = self.unflatten(parameters.detach())
        return {name: _channels_last(piece).detach().requires_grad_() for name, piece in pieces.items()}

    # For all three

    def _slope(self, scores: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient with respect to ``scores`` of the cross-entropy that a client minimises, and its mean for the log.

        Args:
            scores: Shape ``[..., batch_size, num_classes]``; leading dimensions are clients.
            labels: Shape ``[..., batch_size]``.
            weights: 1 for an example, 0 for padding, same shape.
        """
        logarithms = scores.float().log_softmax(dim=-1)
        count = weights.sum(dim=-1, keepdim=True).clamp(min=1.0)
        mean = -(logarithms.gather(-1, labels[..., None])[..., 0] * weights).sum(dim=-1) / count[..., 0]
        factors = weights if self.loss_reduction == "sum" else weights / count
        # Written out, as softmax minus one-hot: a backward pass for so little would cost more than its arithmetic.
        slope = logarithms.exp().scatter_add(
            -1, labels[..., None], -torch.ones_like(labels[..., None], dtype=torch.float32)
        )
        return (slope * factors[..., None]).to(scores.dtype), mean

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


def _channels_last(tensor: Tensor) -> Tensor:
    """Images and the weights of convolutions in the layout in which convolutions are fastest."""
    # `contiguous` would leave the strides of a single channel as they are, and a convolution goes by the strides.
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
