"""Local training of all sampled clients at once."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor
from torch.func import vjp, vmap

from flt.clients import layerwise
from flt.clients.batch_norm import has_batch_statistics
from flt.clients.batches import LocalBatches
from flt.clients.fastest import fastest
from flt.clients.flat_network import FlatNetwork
from flt.clients.loss import LossReduction, cross_entropy, example_factors, mean_loss
from flt.clients.one_by_one import LocalUpdates, OneByOne

# Numbers held at once per chunk (gradients or inputs, whichever is more), at most, when `clients_per_chunk` is "auto":
# on a CPU what stays in its caches, on a GPU 1 GiB.
AUTO_CHUNK = {"cpu": 2**20, "cuda": 2**28}


@dataclass(frozen=True)
class LocalTraining(FlatNetwork):
    """Runs SGD on every client's batches from the same global model and returns the flat updates.

    ``w_i <- w_i - client_lr * grad Loss(batch; w_i)`` once per local step, from ``w_i = w``. There are three ways, with
    the same result up to rounding: all clients by layers, where a single step allows it (`flt.clients.layerwise`); one
    client after the other (`flt.clients.one_by_one`), which batch normalisation needs; and in chunks, vectorised over
    clients with `torch.func`.

    Args:
        network: Module whose architecture is trained; it is not touched. Parameters with ``requires_grad=False`` stay
            as they are and are no part of an update.
        loss_reduction: Whether the batch loss is the "sum" over its examples (the paper's learning rates assume it) or
            their "mean".
        clients_per_chunk: Clients trained at once, 1 for one after the other; "auto" measures what is fastest.

    Reference:
        Cao et al., FLTrust, NDSS 2021, Algorithm 1.
    """

    loss_reduction: LossReduction = "sum"
    clients_per_chunk: int | Literal["auto"] = "auto"

    def __call__(self, batches: LocalBatches, *, client_lr: float) -> LocalUpdates:
        """Trains every client on its batches, from the network's own parameters."""
        if self.needs_one_by_one or not len(batches.labels):
            return self._one_by_one(batches, client_lr=client_lr)
        if self._goes_by_layers(batches):
            chunk = self._chunk_of_layers(batches)
            starts = range(0, len(batches.labels), chunk)
            trained = [self._by_layers([batches.of(slice(i, i + chunk))], client_lr)[0] for i in starts]
            return trained[0] if len(trained) == 1 else LocalUpdates(*map(torch.cat, zip(*trained, strict=True)))
        return self._in_chunks(self._chunk(batches), batches, client_lr)

    def together(self, groups: Sequence[LocalBatches], *, client_lr: float) -> list[LocalUpdates]:
        """Trains the clients of several groups, each with batches of its own size, in one pass where that is possible.

        Args:
            groups: The batches of each group.
            client_lr: The clients' learning rate.
        """
        if all(self._fits_one_pass(batches) for batches in groups):
            return self._by_layers(groups, client_lr)
        return [self(batches, client_lr=client_lr) for batches in groups]

    @cached_property
    def needs_one_by_one(self) -> bool:
        """Whether clients cannot share a pass, because a pass over several would mix or move their statistics."""
        return has_batch_statistics(self.network)

    # How

    def _goes_by_layers(self, batches: LocalBatches) -> bool:
        return batches.labels.shape[1] == 1 and self._has_known_layers

    def _fits_one_pass(self, batches: LocalBatches) -> bool:
        return self._goes_by_layers(batches) and 0 < len(batches.labels) <= self._chunk_of_layers(batches)

    @cached_property
    def _has_known_layers(self) -> bool:
        return layerwise.supports(self.network)

    @cached_property
    def _one_by_one(self) -> OneByOne:
        return OneByOne(self.network, self.loss_reduction)

    def _chunk_of_layers(self, batches: LocalBatches) -> int:
        return self._largest_chunk(batches) if self.clients_per_chunk == "auto" else self.clients_per_chunk

    def _largest_chunk(self, batches: LocalBatches) -> int:
        per_client = max(self.num_params, math.prod(batches.features.shape[1:]))
        return max(1, AUTO_CHUNK.get(batches.features.device.type, AUTO_CHUNK["cpu"]) // per_client)

    def _chunk(self, batches: LocalBatches) -> int:
        if self.clients_per_chunk != "auto":
            return self.clients_per_chunk
        largest = min(len(batches.labels), self._largest_chunk(batches))
        choices = sorted({1, *(largest // 4**power for power in range(4))} - {0})
        if len(choices) == 1 or torch.are_deterministic_algorithms_enabled():
            return 1  # whatever a clock says
        key = self._key(batches, choices)
        if self.chosen_chunks.get(key) not in choices:
            # The first clients of the round tell; what they are trained to here is not used.
            probe = batches.of(slice(0, max(largest, 2 * torch.get_num_threads())))

            def run(chunk: int) -> int:
                self._in_chunks(chunk, probe, 0.0)
                return len(probe.labels)

            device = batches.features.device
            self.chosen_chunks[key] = fastest("clients_per_chunk", choices, run, key=key, device=device)
        return self.chosen_chunks[key]

    @cached_property
    def chosen_chunks(self) -> dict[str, int]:
        """What was chosen for "auto", by what it depends on; a resumed run keeps it, and so its exact numbers."""
        return {}

    def _key(self, batches: LocalBatches, choices: list[int]) -> str:
        device = batches.features.device
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
        precision = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
        network = hashlib.blake2b(f"{self.network} {self.loss_reduction}".encode(), digest_size=8).hexdigest()
        return (
            f"torch {torch.__version__}, {where}, {torch.get_num_threads()} threads, {precision}, network {network} of"
            f" {self.num_params}, batches {list(batches.features.shape[1:])}, of {choices}"
        )

    # By layers

    def _by_layers(self, groups: Sequence[LocalBatches], client_lr: float) -> list[LocalUpdates]:
        """The only local step of clients who all still have the global weights."""
        labels = torch.cat([batches.labels.flatten() for batches in groups])
        sizes = [batches.labels.numel() for batches in groups]

        def slope(scores: Tensor) -> tuple[Tensor, Tensor]:
            at_scores, losses = cross_entropy(scores, labels)
            for piece, batches in zip(at_scores.split_with_sizes(sizes), groups, strict=True):
                factors = example_factors(batches.weights, self.loss_reduction, batch_size=batches.labels.shape[2])
                # The learning rate here, where numbers are few.
                piece.view(*batches.labels.shape, -1).mul_(factors * -client_lr)
            return at_scores.to(scores.dtype), losses

        features = [batches.features[:, 0] for batches in groups]
        updates, losses = layerwise.client_gradients(self.network, list(self.trained.values()), features, slope)
        return [
            LocalUpdates(
                update, mean_loss(loss.view_as(batches.labels), batches.weights)[:, 0], update.new_zeros(len(update), 0)
            )
            for update, loss, batches in zip(updates, losses.split_with_sizes(sizes), groups, strict=True)
        ]

    # In chunks

    def _in_chunks(self, chunk: int, batches: LocalBatches, client_lr: float) -> LocalUpdates:
        if chunk == 1:
            return self._one_by_one(batches, client_lr=client_lr)
        weights = torch.ones_like(batches.labels, dtype=torch.float32) if batches.weights is None else batches.weights
        train = vmap(partial(self._train, self.flatten(), client_lr), chunk_size=chunk)
        updates, losses = train(batches.features, batches.labels, weights)
        return LocalUpdates(updates, losses, updates.new_zeros(len(updates), 0))

    def _train(
        self, parameters: Tensor, client_lr: float, features: Tensor, labels: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One client's local steps, ``labels`` of shape ``[local_steps, batch_size]``; vectorised by the caller."""
        # Summing the steps, rather than subtracting two parameter vectors, keeps the update's small digits.
        update, loss = torch.zeros_like(parameters), torch.zeros((), device=parameters.device)
        for step in range(labels.shape[0]):
            score = partial(self._flat_scores, features=features[step])
            scores, pull_back, *_ = vjp(score, parameters + update if step else parameters)
            slope, losses = cross_entropy(scores, labels[step])
            slope = slope * example_factors(weights[step], self.loss_reduction, batch_size=labels.shape[1])
            update = update - client_lr * pull_back(slope.to(scores.dtype))[0]
            loss = mean_loss(losses, weights[step])
        return update, loss

    def _flat_scores(self, flat: Tensor, features: Tensor) -> Tensor:
        return self.scores(self.unflatten(flat), features)
