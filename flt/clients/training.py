"""Local training of all sampled clients at once."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from flt.clients import layerwise
from flt.clients.batch_norm import has_batch_statistics
from flt.clients.batches import LocalBatches
from flt.clients.fastest import fastest, tell
from flt.clients.flat_network import FlatNetwork
from flt.clients.loss import cross_entropy, example_factors, mean_loss
from flt.clients.one_by_one import LocalUpdates, OneByOne
from flt.clients.randomness.layers import RandomLayers
from flt.clients.recipe import USUAL, Recipe
from flt.clients.steps.base import Steps
from flt.clients.steps.making import StepMaker
from flt.clients.steps.settings import USUAL_SETTINGS, LocalSettings
from flt.clients.vectorised import Vectorised, obstacle_to_vectorising

# Numbers held at once per chunk (gradients or inputs, whichever is more), at most, when `clients_per_chunk` is "auto":
# on a CPU what stays in its caches, on a GPU 1 GiB.
AUTO_CHUNK = {"cpu": 2**20, "cuda": 2**28}
# Steps of each client that are measured.
MEASURED_STEPS = 10


@dataclass(frozen=True)
class LocalTraining:
    """Runs SGD on every client's batches from the same global model and returns the flat updates.

    ``w_i <- w_i - client_lr * grad Loss(batch; w_i)`` once per local step, from ``w_i = w``. There are three ways, with
    the same result up to rounding. All clients are trained by layers where a single step of known layers allows it
    (`flt.clients.layerwise`). Otherwise they are trained in chunks, vectorised over clients with `torch.func`. A
    network that cannot be vectorised is trained one client after the other (`flt.clients.one_by_one`): one with batch
    normalisation, with a state, or with operations that `torch.func` refuses.

    Args:
        network: Module whose architecture is trained; it is not touched. Parameters with ``requires_grad=False`` stay
            as they are and are no part of an update.
        settings: How everyone trains.
        clients_per_chunk: Clients trained at once, 1 for one after the other; "auto" measures what is fastest.

    Reference:
        Cao et al., FLTrust, NDSS 2021, Algorithm 1.
    """

    network: nn.Module
    settings: LocalSettings = USUAL_SETTINGS
    clients_per_chunk: int | Literal["auto"] = "auto"

    def __call__(self, batches: LocalBatches, *, client_lr: float) -> LocalUpdates:
        """Trains every client on its batches, from the network's own parameters."""
        return self.together([batches], client_lr=client_lr)[0]

    def together(
        self, groups: Sequence[LocalBatches], *, client_lr: float, steps: Sequence[Steps | None] | None = None
    ) -> list[LocalUpdates]:
        """Trains the clients of several groups, each with batches of its own size, in one pass where that is possible.

        Args:
            groups: The batches of each group.
            client_lr: The clients' learning rate.
            steps: The clients' steps, with what they keep; None for those of clients that have kept nothing: by the
                gradient alone, or of a new optimizer.
        """
        given = steps or [None] * len(groups)
        own = [self.steps.of(len(batches.labels), each) for batches, each in zip(groups, given, strict=True)]
        if all(each is None for each in own):
            return self._usually(groups, client_lr)
        if self.steps.asks or any(batches.labels.shape[1] > 1 for batches in groups):
            return [self._by_steps(batches, client_lr, each) for batches, each in zip(groups, own, strict=True)]
        gradients = self._usually(groups, -1.0)
        return [
            found._replace(updates=self.steps.first(each, found.updates, client_lr, taking=batches.sizes[:, 0] > 0))
            for batches, each, found in zip(groups, own, gradients, strict=True)
        ]

    def by_recipe(
        self, batches: LocalBatches, recipe: Recipe, *, client_lr: float, steps: Steps | None = None
    ) -> LocalUpdates:
        """Trains every client on its batches in another way than usual.

        Nothing is measured: clients share passes on a GPU, or as many as ``clients_per_chunk`` says, where network,
        loss and projection allow it.

        Args:
            batches: What they train on.
            recipe: What is another.
            client_lr: Their learning rate, of either sign.
            steps: Their steps, as for `together`; with any, clients are trained one after the other.
        """
        steps = self.steps.of(len(batches.labels), steps)
        if steps is not None:
            return self._one_by_one(batches, client_lr=client_lr, recipe=recipe, steps=steps)
        if self.needs_one_by_one or not len(batches.labels):
            return self._one_by_one(batches, client_lr=client_lr, recipe=recipe)
        if recipe.is_usual and self._fits_one_pass(batches):
            return self._by_layers([batches], client_lr, ascends=recipe.ascends)[0]
        chunk = self.clients_per_chunk
        if chunk == "auto":
            chunk = self._largest_chunk(batches) if batches.features.is_cuda else 1
        if chunk == 1 or not self._is_vectorisable(batches, recipe):
            return self._one_by_one(batches, client_lr=client_lr, recipe=recipe)
        return self._vectorised(batches, client_lr=client_lr, chunk=chunk, recipe=recipe)

    @cached_property
    def flat(self) -> FlatNetwork:
        """The network as a function of one vector."""
        return FlatNetwork(self.network)

    @cached_property
    def needs_one_by_one(self) -> bool:
        """Whether clients cannot share a pass, because of their statistics or their optimizer."""
        return has_batch_statistics(self.network) or self.steps.asks

    # How

    def _usually(self, groups: Sequence[LocalBatches], client_lr: float) -> list[LocalUpdates]:
        """Trains several groups by the gradient alone."""
        if all(self._fits_one_pass(batches) for batches in groups):
            return self._by_layers(groups, client_lr)
        return [self._alone(batches, client_lr) for batches in groups]

    def _alone(self, batches: LocalBatches, client_lr: float) -> LocalUpdates:
        """Trains one group by the gradient alone."""
        if self.needs_one_by_one or not len(batches.labels):
            return self._one_by_one(batches, client_lr=client_lr)
        if self._goes_by_layers(batches):
            chunk = self._chunk_of_layers(batches)
            starts = range(0, len(batches.labels), chunk)
            trained = [self._by_layers([batches.of(slice(i, i + chunk))], client_lr)[0] for i in starts]
            return trained[0] if len(trained) == 1 else LocalUpdates(*map(torch.cat, zip(*trained, strict=True)))
        return self._in_chunks(self._chunk(batches), batches, client_lr)

    def _goes_by_layers(self, batches: LocalBatches) -> bool:
        return batches.labels.shape[1] == 1 and self._has_known_layers

    def _fits_one_pass(self, batches: LocalBatches) -> bool:
        return self._goes_by_layers(batches) and 0 < len(batches.labels) <= self._chunk_of_layers(batches)

    @cached_property
    def _has_known_layers(self) -> bool:
        return layerwise.supports(self.network)

    @cached_property
    def _one_by_one(self) -> OneByOne:
        return OneByOne(self.network, self.settings)

    def _chunk_of_layers(self, batches: LocalBatches) -> int:
        return self._largest_chunk(batches) if self.clients_per_chunk == "auto" else self.clients_per_chunk

    def _largest_chunk(self, batches: LocalBatches) -> int:
        per_client = max(self.flat.num_params, math.prod(batches.features.shape[1:]))
        return max(1, AUTO_CHUNK.get(batches.features.device.type, AUTO_CHUNK["cpu"]) // per_client)

    def _chunk(self, batches: LocalBatches) -> int:
        if self.clients_per_chunk != "auto":
            return self.clients_per_chunk if self.clients_per_chunk == 1 or self._is_vectorisable(batches) else 1
        batches = batches.first(MEASURED_STEPS)  # clients that pass over their examples may have thousands
        largest = min(len(batches.labels), self._largest_chunk(batches))
        choices = sorted({1, *(largest // 4**power for power in range(4))} - {0})
        if len(choices) == 1 or not self._is_vectorisable(batches):
            return 1
        if torch.are_deterministic_algorithms_enabled():  # a measurement may come out another way next time
            return choices[-1] if batches.features.is_cuda else 1
        key = self._key(batches, choices)
        if self.chosen_chunks.get(key) not in choices:
            # The first clients of the round are trained to measure; their updates are not used.
            probe = batches.of(slice(0, max(largest, 2 * torch.get_num_threads())))

            def run(chunk: int) -> int:
                self._in_chunks(chunk, probe, 0.0)
                return len(probe.labels)

            device = batches.features.device
            self.chosen_chunks[key] = fastest("clients_per_chunk", choices, run, key=key, device=device)
        return self.chosen_chunks[key]

    @cached_property
    def chosen_chunks(self) -> dict[str, int]:
        """Clients trained at once, by what that depends on: 1 for a network that cannot be vectorised.

        A resumed run keeps to it, and so to its exact numbers.
        """
        return {}

    def _is_vectorisable(self, batches: LocalBatches, recipe: Recipe = USUAL) -> bool:
        """Whether clients share a pass of `torch.func`; tried once, on a few examples, and remembered."""
        key = f"network {self._fingerprint}, vectorised{recipe.names}"
        if key in self.chosen_chunks or key in self._passed:
            return key not in self.chosen_chunks
        if not batches.sizes.any():
            return False  # there is nothing to try, or to train
        obstacle = obstacle_to_vectorising(self._one_by_one, batches, recipe)
        if obstacle is None:
            self._passed.add(key)
            return True
        self.chosen_chunks[key] = 1
        effect = "" if self.clients_per_chunk == "auto" else "model.clients_per_chunk has no effect: "
        whose = f"{type(self.network).__name__}{recipe.names}"
        tell(f"{effect}{whose} {obstacle}: its clients are trained one after the other")
        return False

    @cached_property
    def _passed(self) -> set[str]:
        return set()

    def _key(self, batches: LocalBatches, choices: list[int]) -> str:
        device = batches.features.device
        where = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
        precision = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else torch.float32
        return (
            f"torch {torch.__version__}, {where}, {torch.get_num_threads()} threads, {precision}, network"
            f" {self._fingerprint}, batches {list(batches.features.shape[1:])}, of {choices}"
        )

    @cached_property
    def _fingerprint(self) -> str:
        described = hashlib.blake2b(
            f"{self.network} {self.settings.loss_reduction}".encode(), digest_size=8
        ).hexdigest()
        return f"{described} of {self.flat.num_params}"

    # By steps that are more than gradients

    @cached_property
    def steps(self) -> StepMaker:
        """What makes the clients' steps."""
        return StepMaker(self.flat, self.settings)

    def _by_steps(self, batches: LocalBatches, client_lr: float, steps: Steps | None) -> LocalUpdates:
        if steps is None:
            return self._alone(batches, client_lr)
        chunk = 1 if self.needs_one_by_one or not len(batches.labels) else self._chunk(batches)
        if chunk == 1:
            return self._one_by_one(batches, client_lr=client_lr, steps=steps)
        return self._vectorised.by_steps(batches, steps, client_lr=client_lr, chunk=chunk)

    # By layers

    def _by_layers(
        self, groups: Sequence[LocalBatches], client_lr: float, *, ascends: bool = False
    ) -> list[LocalUpdates]:
        """Trains clients in a single local step, in which all of them still have the global weights."""
        changes = self.settings.changes_gradients
        labels = torch.cat([batches.labels.flatten() for batches in groups])
        sizes = [batches.labels.numel() for batches in groups]

        def gradient_of_losses(scores: Tensor) -> tuple[Tensor, Tensor]:
            loss_gradient, losses = cross_entropy(scores, labels)
            for piece, batches in zip(loss_gradient.split_with_sizes(sizes), groups, strict=True):
                factors = example_factors(
                    batches.weights, self.settings.loss_reduction, batch_size=batches.labels.shape[2]
                )
                # The learning rate is multiplied in here, where numbers are few, if it can be.
                piece.view(*batches.labels.shape, -1).mul_(factors if changes else factors * -client_lr)
            return loss_gradient.to(scores.dtype), losses

        features = [batches.features[:, 0] for batches in groups]
        random_layers = None if any(batches.seeds is None for batches in groups) else list(map(_in_a_row, groups))
        updates, losses = layerwise.client_gradients(
            self.network, list(self.flat.trained.values()), features, gradient_of_losses, random_layers
        )
        if changes:
            parameters = self.flat.flatten()
            for update, batches in zip(updates, groups, strict=True):
                self.settings.direction(update, parameters, ascends=ascends).mul_(-client_lr)
                update[batches.sizes[:, 0].to(update.device) == 0] = 0
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
        return self._vectorised(batches, client_lr=client_lr, chunk=chunk)

    @cached_property
    def _vectorised(self) -> Vectorised:
        return Vectorised(self.flat, self.settings)


def _in_a_row(batches: LocalBatches) -> RandomLayers:
    """Random layers of a call with the only batch of each client, one behind the other."""
    assert batches.seeds is not None
    seeds, sizes = batches.seeds[:, 0].tolist(), batches.sizes[:, 0].tolist()
    return RandomLayers.in_a_row(seeds, sizes, width=batches.labels.shape[2])
