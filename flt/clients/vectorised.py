"""Local training of several clients in one pass, vectorised over clients with `torch.func`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp, vmap

from flt.clients.batches import LocalBatches
from flt.clients.conduct import copied
from flt.clients.flat_network import FlatNetwork
from flt.clients.loss import mean_loss
from flt.clients.one_by_one import LocalUpdates, OneByOne
from flt.clients.randomness.layers import RandomLayers
from flt.clients.recipe import USUAL, Own, Recipe
from flt.clients.steps.base import Steps, taken
from flt.clients.steps.settings import LocalSettings
from flt.errors import InputError, one_line

# By how much, relative to its length, a client's update may differ from that of training one by one. Rounding stays
# below; padding that is taken for an example, or a gradient that gets lost, lie above.
TOLERANCE, TOLERANCE_OF_AUTOCAST = 0.01, 0.1
# Examples of a batch on which the two ways are compared.
TRIAL = 4


@dataclass(frozen=True)
class Vectorised:
    """Trains clients in chunks, each in one pass over all of its clients, with their padding.

    Args:
        flat: The global model; it is not touched.
        settings: How everyone trains.
    """

    flat: FlatNetwork
    settings: LocalSettings

    def __call__(self, batches: LocalBatches, *, client_lr: float, chunk: int, recipe: Recipe = USUAL) -> LocalUpdates:
        """Trains every client from the network's own parameters, ``chunk`` clients at a time."""
        if batches.seeds is not None:
            return self._drawing(batches, client_lr, chunk, recipe)
        weights, parameters = batches.weights_or_ones, self.flat.flatten()
        # Without examples a gradient is 0, and a step none, as long as nothing is added to it.
        is_even = batches.steps is None and (not self.settings.changes_gradients or bool(batches.sizes.all()))
        own = () if recipe.is_usual and is_even else recipe.own(batches, parameters)
        train = vmap(partial(self._train, parameters, client_lr, recipe, None), chunk_size=chunk)
        if batches.steps is None:
            updates, losses = train(batches.features, batches.labels, weights, *own)
        else:
            updates, losses = parameters.new_zeros(len(weights), len(parameters)), parameters.new_zeros(len(weights))
            for some, steps in _of_like_steps(batches.sizes, chunk, weights.device):
                given = (each[some, :steps] for each in (batches.features, batches.labels, weights))
                updates[some], losses[some] = train(*given, *(each[some] for each in own))
        return LocalUpdates(updates, losses, updates.new_zeros(len(updates), 0))

    def by_steps(self, batches: LocalBatches, steps: Steps, *, client_lr: float, chunk: int) -> LocalUpdates:
        """Trains every client by steps that are more than gradients: a chunk's clients take each step together."""
        starts = range(0, len(batches.labels), chunk)
        some = [slice(start, start + chunk) for start in starts]
        trained = [self._step_by_step(batches.of(each), steps.of(each), client_lr) for each in some]
        return LocalUpdates(*map(torch.cat, zip(*trained, strict=True)))

    def _step_by_step(self, batches: LocalBatches, steps: Steps, client_lr: float) -> LocalUpdates:
        parameters = self.flat.flatten()
        updates = parameters.new_zeros(len(batches.labels), len(parameters))
        losses = parameters.new_zeros(len(updates))
        for step in range(batches.labels.shape[1]):
            gradients, now = self._directions(batches, step, parameters, updates)
            taking = batches.sizes[:, step] > 0
            places = parameters + updates
            updates = updates + taken(steps, gradients, places, client_lr, taking=taking)
            losses = torch.where(taking.to(losses.device), now, losses)
        return LocalUpdates(updates, losses, updates.new_zeros(len(updates), 0))

    def _directions(
        self, batches: LocalBatches, step: int, parameters: Tensor, updates: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What each client goes against in a step, and its loss."""
        if batches.seeds is None:
            now = batches.step(step)
            given = (each[:, 0] for each in (now.features, now.labels, now.weights_or_ones))
            return vmap(partial(self._direction, parameters, None))(updates, *given)
        gradients, losses = torch.zeros_like(updates), updates.new_zeros(len(updates))
        for some, seeds, *own in _of_equal_sizes(batches.step(step), len(updates)):
            directions = vmap(partial(self._direction, parameters, seeds), randomness="different")
            gradients[some], losses[some] = directions(updates[some], *(each[0] for each in own))
        return gradients, losses

    def _direction(
        self,
        parameters: Tensor,
        seeds: Tensor | None,
        update: Tensor,
        features: Tensor,
        labels: Tensor,
        weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """What one client goes against in a step, and its loss; vectorised by the caller."""
        score = partial(self._flat_scores, features=features)
        with _random_layers(seeds, 0):
            scores, pull_back, *_ = vjp(score, parameters + update)
        at_scores, _, losses = USUAL.gradients(scores, labels, weights, update, self.settings.loss_reduction)
        gradient = pull_back(at_scores.to(scores.dtype))[0]
        return self.settings.direction(gradient, parameters, update), mean_loss(losses, weights)

    def _drawing(self, batches: LocalBatches, client_lr: float, chunk: int, recipe: Recipe) -> LocalUpdates:
        """Trains a network with random layers."""
        parameters, num_clients = self.flat.flatten(), len(batches.labels)
        own = () if recipe.is_usual else recipe.own(batches, parameters)
        updates = parameters.new_zeros(num_clients, len(parameters)) if recipe.start is None else recipe.start.clone()
        losses = parameters.new_zeros(num_clients)
        for some, seeds, *given in _of_equal_sizes(batches, chunk):
            train = vmap(partial(self._train, parameters, client_lr, recipe, seeds), randomness="different")
            updates[some], losses[some] = train(*given, *(each[some] for each in own))
        return LocalUpdates(updates, losses, updates.new_zeros(num_clients, 0))

    def _train(
        self,
        parameters: Tensor,
        client_lr: float,
        recipe: Recipe,
        seeds: Tensor | None,
        features: Sequence[Tensor] | Tensor,
        labels: Sequence[Tensor] | Tensor,
        weights: Sequence[Tensor] | Tensor,
        *brought: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One client's local steps, ``labels`` of shape ``[local_steps, batch_size]``; vectorised by the caller."""
        own = Own(*brought) if brought else None
        # Summing the steps, rather than subtracting two parameter vectors, keeps the update's small digits.
        update, loss = own.start if own else torch.zeros_like(parameters), torch.zeros((), device=parameters.device)
        for step in range(len(labels)):
            score = partial(self._flat_scores, features=features[step])
            with _random_layers(seeds, step):
                scores, pull_back, *_ = vjp(score, parameters + update if step or own else parameters)
            at_scores, at_update, losses = recipe.gradients(
                scores, labels[step], weights[step], update, self.settings.loss_reduction
            )
            gradient = pull_back(at_scores.to(scores.dtype))[0]
            now = mean_loss(losses, weights[step])
            if own is None:
                place = update if step else None
                gradient = self.settings.direction(gradient, parameters, place, ascends=recipe.ascends)
                update, loss = update - client_lr * gradient, now
                continue
            gradient = gradient if at_update is None else gradient + at_update
            gradient = self.settings.direction(
                gradient, parameters, update, usual_loss=recipe.loss is None, ascends=recipe.ascends
            )
            after = recipe.moved(update, -client_lr * gradient, own.mask)
            update, loss = (torch.where(step < own.steps, *pair) for pair in ((after, update), (now, loss)))
        return update, loss

    def _flat_scores(self, parameters: Tensor, features: Tensor) -> Tensor:
        return self.flat.scores(self.flat.unflatten(parameters), features)


def _of_like_steps(sizes: Tensor, chunk: int, device: torch.device) -> Iterator[tuple[Tensor, int]]:
    """Clients that take about as many steps as each other, ``chunk`` at a time, and how many the first of them takes.

    Args:
        sizes: Examples in each batch, shape ``[num_clients, local_steps]``.
        chunk: Clients at a time.
        device: Where the clients are wanted.
    """
    steps = (sizes > 0).sum(dim=1)
    for some in torch.split(steps.argsort(descending=True, stable=True), chunk):
        yield some.to(device), max(1, int(steps[some[0]]))


def _random_layers(seeds: Tensor | None, step: int) -> AbstractContextManager[Any]:
    """In what some clients call the network in a step, by what each of them draws from in each step."""
    return nullcontext() if seeds is None else RandomLayers.vectorised(seeds[:, step].tolist())


def _of_equal_sizes(
    batches: LocalBatches, chunk: int
) -> Iterator[tuple[Tensor, Tensor, list[Tensor], list[Tensor], list[Tensor]]]:
    """Clients whose batches are as large as each other's, ``chunk`` at a time, without their padding.

    Random layers would draw for the padding, and other numbers for the examples then.

    Yields:
        Who they are, and what they draw from; then features, labels and weights of each step that they take.
    """
    assert batches.seeds is not None
    kinds, kind = torch.unique(batches.sizes, dim=0, return_inverse=True)
    for number, sizes in enumerate(kinds.tolist()):
        steps = [(step, size) for step, size in enumerate(sizes) if size]
        for clients in (kind == number).nonzero().flatten().split(chunk) if steps else ():
            some = clients.to(batches.labels.device)
            labels = [batches.labels[some, step, :size] for step, size in steps]
            features = [batches.features[some, step, :size] for step, size in steps]
            weights = [torch.ones_like(each, dtype=torch.float32) for each in labels]
            yield some, batches.seeds[clients], features, labels, weights


def obstacle_to_vectorising(one_by_one: OneByOne, batches: LocalBatches, recipe: Recipe = USUAL) -> str | None:
    """Why clients cannot share a pass of `Vectorised`, in words; None if they can.

    Both ways of training are tried on a few examples and compared.

    Args:
        one_by_one: The other way, which every network can go.
        batches: The batches of some clients, one of whom has an example.
        recipe: What they do in another way than usual; its loss and its projection are tried.
    """
    recipe = Recipe(recipe.loss, project=recipe.project, before=recipe.before)
    network, conduct = one_by_one.network, one_by_one.conduct(batches)
    if conduct.state:
        return f"keeps a state ({', '.join('.'.join(filter(None, where)) for where in conduct.state)})"
    if conduct.changes_features:
        return "writes into its input"
    trial = _trial(batches)
    expected = one_by_one(trial, client_lr=1.0, recipe=recipe).updates
    # On a copy, as a pass that fails half-way may leave something behind in the network.
    vectorised = Vectorised(FlatNetwork(copied(network)), one_by_one.settings)
    try:
        updates = vectorised(trial, client_lr=1.0, chunk=2, recipe=recipe).updates
    except (torch.OutOfMemoryError, InputError):
        raise
    except Exception as error:  # torch's, or that of a layer which cannot take such tensors
        return f"cannot be vectorised over clients ({one_line(error)})"
    tolerance = TOLERANCE_OF_AUTOCAST if torch.is_autocast_enabled(updates.device.type) else TOLERANCE
    is_other = ~((updates - expected).norm(dim=1) <= tolerance * expected.norm(dim=1))  # or not finite
    # Poisoned examples may lead to an update that is not finite, which says nothing about the network.
    is_told = expected.isfinite().all(dim=1)
    return "gives other gradients if it is vectorised over clients" if (is_other & is_told).any() else None


def _trial(batches: LocalBatches) -> LocalBatches:
    """A few examples of one client, as the batches of two clients, half of the second one's being padding.

    There is no padding for a network with random layers, to whom it is never shown.
    """
    client = int(batches.sizes[:, 0].argmax())
    size = min(int(batches.sizes[client, 0]), TRIAL)
    half = (size + 1) // 2
    features = batches.features[client, :1, :size].expand(2, 1, size, *batches.features.shape[3:]).clone()
    labels = batches.labels[client, :1, :size].expand(2, 1, size)
    weights = torch.ones(2, 1, size, device=features.device)
    if batches.seeds is not None:
        return LocalBatches(features, labels, weights, torch.full((2, 1), size), torch.tensor([[1], [2]]))
    features[1, :, half:], weights[1, :, half:] = 0, 0
    return LocalBatches(features, labels, weights, torch.tensor([[size], [half]]))
