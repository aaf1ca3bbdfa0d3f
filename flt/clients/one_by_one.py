"""Local training of one client after the other, several of them at once where there are processor cores for it."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flt.clients.backward import gradients
from flt.clients.batch_norm import flatten_statistics, statistics_moved, statistics_of
from flt.clients.batches import LocalBatches
from flt.clients.conduct import Conduct, copied, observe
from flt.clients.flat_network import FlatNetwork
from flt.clients.loss import mean_loss
from flt.clients.randomness.layers import RandomLayers
from flt.clients.recipe import USUAL, Recipe
from flt.clients.steps.base import Steps
from flt.clients.steps.settings import LocalSettings


class LocalUpdates(NamedTuple):
    """The results of local training.

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
class OneByOne:
    """Trains every client by itself, on the examples of its batches alone.

    On a CPU the clients are shared out to as many threads as torch has, each of which does its arithmetic alone: a
    batch is too small to be split, and a client's update does not depend on the number of threads. A state that calls
    leave in the network is put back after each client.

    Args:
        network: The global model; it is not touched.
        settings: How everyone trains.
    """

    network: nn.Module
    settings: LocalSettings

    def __call__(
        self, batches: LocalBatches, *, client_lr: float, recipe: Recipe = USUAL, steps: Steps | None = None
    ) -> LocalUpdates:
        """Trains every client from the network's own parameters and buffers; without ``steps``, along gradients."""
        parameters, own = self._replicas[0].flatten(), statistics_of(self.network)
        before = flatten_statistics(own, parameters.device)
        num_clients = len(batches.labels)
        updates, statistics = (
            parameters.new_zeros(num_clients, size) if start is None else start.clone()
            for size, start in ((len(parameters), recipe.start), (len(before), recipe.start_statistics))
        )
        job = _Job(
            buffers=dict(self.network.named_buffers()),
            statistics=list(own),
            before=before,
            parameters=parameters,
            start=_leaves(self._replicas[0], parameters),
            batches=batches,
            client_lr=client_lr,
            settings=self.settings,
            conduct=self.conduct(batches) if batches.sizes.any() else Conduct(),
            recipe=recipe,
            steps=steps,
            trained=LocalUpdates(updates, parameters.new_zeros(num_clients), statistics),
        )
        clients = batches.sizes.any(dim=1).nonzero().flatten().tolist()
        threads = min(torch.get_num_threads(), len(clients)) if parameters.device.type == "cpu" else 1
        if threads > 1:
            self._share_out(job, clients, threads)
        else:
            job.run(self._replicas[0], clients)
        return job.trained

    def conduct(self, batches: LocalBatches) -> Conduct:
        """Observes on the first batch of all what calls of the network change, and remembers it."""
        if not self._conducts:
            client = int(batches.sizes[:, 0].argmax())
            features = batches.features[client, 0, : min(int(batches.sizes[client, 0]), 2)]
            with torch.no_grad():
                self._conducts.append(observe(copied(self.network), features)[1])
        return self._conducts[0]

    def _share_out(self, job: "_Job", clients: list[int], threads: int) -> None:
        while (
            len(self._replicas) < threads
        ):  # one for each thread, as a call puts a client's weights into the module itself
            self._replicas.append(FlatNetwork(copied(self.network)))
        own_threads = torch.get_num_threads()
        inner = own_threads // threads
        is_autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def work(thread: int) -> None:
            torch.set_num_threads(inner)
            with torch.autocast("cpu", dtype, enabled=is_autocast):  # a thread does not inherit it
                job.run(self._replicas[thread], clients[thread::threads])

        try:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(work, range(threads)))
        finally:
            torch.set_num_threads(own_threads)  # a thread's number is the default of later threads

    @cached_property
    def _conducts(self) -> list[Conduct]:
        return []

    @cached_property
    def _replicas(self) -> list[FlatNetwork]:
        return [FlatNetwork(self.network)]


@dataclass(frozen=True)
class _Job:
    """A round's clients, and the tensors that their updates are written to."""

    buffers: dict[str, Tensor]
    statistics: list[str]
    before: Tensor
    parameters: Tensor
    start: dict[str, Tensor]
    batches: LocalBatches
    client_lr: float
    settings: LocalSettings
    conduct: Conduct
    recipe: Recipe
    steps: Steps | None
    trained: LocalUpdates

    def run(self, network: FlatNetwork, clients: Iterable[int]) -> None:
        """Trains some of the clients; nobody else may use ``network`` meanwhile."""
        sizes = self.batches.sizes.tolist()
        for client in clients:
            with self.conduct.state_kept(network.network):
                self._train(network, client, sizes[client])

    def _train(self, network: FlatNetwork, client: int, sizes: list[int]) -> None:
        batches, trained, recipe = self.batches, self.trained, self.recipe
        buffers = {name: buffer.clone() for name, buffer in self.buffers.items()}
        if recipe.start_statistics is not None:
            buffers |= statistics_moved({name: buffers[name] for name in self.statistics}, trained.statistics[client])
        mask, steps = self._mask(client), None if self.steps is None else self.steps.of(slice(client, client + 1))
        update, weights = trained.updates[client], self.start
        for step, size in enumerate(filter(None, sizes)):
            if step or recipe.start is not None:
                weights = _leaves(network, self.parameters + update)
            # The padding is cut off: it would enter the statistics of batch normalisation.
            features, labels = batches.features[client, step, :size], batches.labels[client, step, :size]
            tensors, seed = {**weights, **buffers}, None if batches.seeds is None else int(batches.seeds[client, step])
            gradient, trained.losses[client] = self._gradient(network, tensors, features, labels, update, seed)
            gradient = self._direction(gradient, update)
            if steps is not None:
                again = partial(self._again, network, buffers, features, labels, seed)
                move = steps.step(gradient[None], (self.parameters + update)[None], self.client_lr, again)[0]
                update.copy_(update + move if mask is None else recipe.moved(update, move, mask))
            elif mask is None:
                update.sub_(gradient, alpha=self.client_lr)
            else:
                update.copy_(recipe.moved(update, -self.client_lr * gradient, mask))
        after = flatten_statistics({name: buffers[name] for name in self.statistics}, self.before.device)
        trained.statistics[client] = after - self.before

    def _mask(self, client: int) -> Tensor | None:
        """What a client's steps are multiplied by; None where they are only taken."""
        mask = self.recipe.mask
        if mask is None:
            return None if self.recipe.project is None else self.parameters.new_ones(1)
        return (mask if mask.ndim == 1 else mask[client]).to(self.parameters)

    def _again(
        self,
        network: FlatNetwork,
        buffers: dict[str, Tensor],
        features: Tensor,
        labels: Tensor,
        seed: int | None,
        place: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One client's gradient and loss where its optimizer asks for it."""
        tensors, update = {**_leaves(network, place), **buffers}, place - self.parameters
        gradient, loss = self._gradient(network, tensors, features, labels, update, seed)
        factor = len(labels) if self.settings.loss_reduction == "sum" else 1
        penalty = self.settings.penalty(update) if self.recipe.loss is None else 0.0
        return self._direction(gradient, update), loss * factor + (-penalty if self.recipe.ascends else penalty)

    def _direction(self, gradient: Tensor, update: Tensor) -> Tensor:
        recipe = self.recipe
        return self.settings.direction(
            gradient, self.parameters, update, usual_loss=recipe.loss is None, ascends=recipe.ascends
        )

    def _gradient(
        self,
        network: FlatNetwork,
        tensors: dict[str, Tensor],
        features: Tensor,
        labels: Tensor,
        update: Tensor,
        seed: int | None,
    ) -> tuple[Tensor, Tensor]:
        """One client's gradient, flat, and its mean loss; the buffers in ``tensors`` are changed in place."""
        parameters = [tensors[name] for name in network.trained]

        def work(module: nn.Module) -> tuple[Sequence[Tensor], Tensor | None, Tensor]:
            with nullcontext() if seed is None else RandomLayers.alone(seed):
                scores = module(self.conduct.given(_channels_last(features)))
            at_scores, at_update, losses = self.recipe.gradients(
                scores.detach(), labels, None, update, self.settings.loss_reduction
            )
            at_scores = at_scores.to(scores.dtype)
            # Here, where the network still has these tensors: activation checkpointing calls it once more.
            found = gradients([scores], [at_scores], parameters, allow_unused=True, materialize_grads=True)
            return found, at_update, losses

        with torch.enable_grad():
            pieces, at_update, losses = network.work_with(tensors, work)
        gradient = torch.cat([piece.to_dense().flatten() for piece in pieces])
        return gradient if at_update is None else gradient + at_update, mean_loss(losses, None)


def _leaves(network: FlatNetwork, parameters: Tensor) -> dict[str, Tensor]:
    """Splits the flat ``parameters`` into leaf tensors, at which autograd takes gradients."""
    pieces = network.unflatten(parameters.detach())
    return {name: _channels_last(piece).detach().requires_grad_() for name, piece in pieces.items()}


def _channels_last(tensor: Tensor) -> Tensor:
    """Puts images and weights of convolutions into the layout in which convolutions are fastest."""
    # `contiguous` would leave the strides of a single channel as they are, and a convolution goes by the strides.
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
