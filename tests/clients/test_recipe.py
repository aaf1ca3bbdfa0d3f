"""Local training in another way than usual: loss, mask, projection, start, batches of different number."""

import copy
import logging

import pytest
import torch
from networks import NETWORKS, OF_TOKENS, RANDOM
from tiny import NUM_CLASSES, NUM_FEATURES, draw_batches, mlp
from torch import nn
from torch.nn import functional

from flt.clients.encoder import Encoder
from flt.clients.flat_network import FlatNetwork
from flt.clients.loss import batch_loss
from flt.clients.one_by_one import LocalUpdates
from flt.clients.recipe import USUAL, Recipe
from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining
from flt.errors import InputError

SIZES = [9, 3, 0, 20, 8]
CHUNKS = [1, 3]
SOME = {
    "mlp": mlp,
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, NUM_FEATURES)), nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, NUM_CLASSES)
    ),
    "batch norm": lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 4), nn.BatchNorm1d(4), nn.Linear(4, NUM_CLASSES)),
}
each_way = pytest.mark.parametrize(("name", "chunk"), [(name, chunk) for name in SOME for chunk in CHUNKS])


def made(make):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return make()


def sample(local_steps=3):
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(sum(SIZES), NUM_FEATURES, generator=draw)
    labels = torch.randint(NUM_CLASSES, (sum(SIZES),), generator=draw)
    starts, sizes = torch.tensor([0, *SIZES[:-1]]).cumsum(0), torch.tensor(SIZES)
    return draw_batches(features, labels, starts, sizes, local_steps=local_steps, batch_size=8, generator=draw)


def steps(batches, some):
    """Some of the steps of batches."""
    return batches._replace(
        **{name: getattr(batches, name)[:, some] for name in ("features", "labels", "weights", "sizes")}
    )


def alike(found, expected):
    torch.testing.assert_close(tuple(found), tuple(expected), rtol=1e-4, atol=1e-6)


def far(scores, labels, weights, update):
    """Cross-entropy, its distance from the global model beside it."""
    return 0.7 * batch_loss(scores, labels, weights, "mean") + 0.3 * update.norm()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in OF_TOKENS])
def test_nothing_set_is_the_usual_training(name):
    network = made(NETWORKS[name][0])
    training, batches = LocalTraining(network, LocalSettings("mean"), clients_per_chunk=3), sample()
    if name in RANDOM:
        batches = batches._replace(seeds=torch.arange(batches.sizes.numel()).view_as(batches.sizes))
    alike(training.by_recipe(batches, USUAL, client_lr=0.1), training(batches, client_lr=0.1))
    one = LocalTraining(network, LocalSettings("mean"), clients_per_chunk=1)
    assert all(map(torch.equal, one.by_recipe(batches, USUAL, client_lr=0.1), one(batches, client_lr=0.1)))


@each_way
def test_goes_on_from_a_start(name, chunk):
    training, batches = LocalTraining(made(SOME[name]), LocalSettings("mean"), chunk), sample()
    first = training.by_recipe(steps(batches, slice(1)), USUAL, client_lr=0.1)
    recipe = Recipe(start=first.updates, start_statistics=first.statistics)
    alike(training.by_recipe(steps(batches, slice(1, 3)), recipe, client_lr=0.1), training(batches, client_lr=0.1))


@each_way
def test_clients_train_on_as_many_batches_as_they_have(name, chunk):
    training, batches = LocalTraining(made(SOME[name]), LocalSettings("sum"), chunk), sample()
    counts = torch.tensor([1, 3, 0, 2, 3])
    found = training.by_recipe(
        batches._replace(sizes=batches.sizes.where(torch.arange(3) < counts[:, None], 0)), USUAL, client_lr=0.05
    )
    for client, count in enumerate(counts.tolist()):
        alone = steps(batches.of(slice(client, client + 1)), slice(count))
        if count:
            alike([each[client : client + 1] for each in found], training(alone, client_lr=0.05))
        else:
            assert not any(each[client].any() for each in found)


@each_way
def test_mask_and_projection(name, chunk):
    """Each step by hand, after the gradient that one usual step from there has."""
    training, batches = LocalTraining(made(SOME[name]), LocalSettings("mean"), chunk), sample()
    draw = torch.Generator().manual_seed(1)
    mask = (torch.rand(len(SIZES), training.flat.num_params, generator=draw) < 0.7).float()

    def project(update):
        return update * (0.05 / update.norm().clamp(min=1e-9)).clamp(max=1.0)

    for given, rows in ((mask, mask), (mask[0].bool(), mask[0].expand_as(mask))):
        found = training.by_recipe(batches, Recipe(mask=given, project=project), client_lr=0.1)
        expected = LocalUpdates(torch.zeros_like(mask), torch.zeros(len(SIZES)), torch.zeros_like(found.statistics))
        for step in range(3):
            start = Recipe(start=expected.updates, start_statistics=expected.statistics)
            after = training.by_recipe(steps(batches, slice(step, step + 1)), start, client_lr=0.1)
            moved = expected.updates + rows * (after.updates - expected.updates)
            expected = after._replace(updates=rows * torch.stack([project(row) for row in moved]))
        alike(found, expected)
        assert not found.updates[rows == 0].any()
        assert (found.updates.norm(dim=1) <= 0.05 + 1e-6).all()
        assert found.updates.norm(dim=1).max() > 0.049


@each_way
def test_a_loss_of_ones_own(name, chunk):
    """And of a distance, whose gradient comes by no score."""
    network, batches = made(SOME[name]), sample()
    training = LocalTraining(network, LocalSettings("sum"), chunk)
    found = training.by_recipe(batches, Recipe(loss=far), client_lr=0.1)
    for client, size in enumerate(batches.sizes[:, 0].tolist()):
        local, flat = copy.deepcopy(network), FlatNetwork(network)
        before = flat.flatten()
        for step in range(3 if size else 0):
            features, labels = batches.features[client, step, :size], batches.labels[client, step, :size]
            now = torch.cat([parameter.flatten() for parameter in local.parameters()])
            loss = 0.7 * functional.cross_entropy(local(features), labels) + 0.3 * (now - before).norm()
            gradients = torch.autograd.grad(loss, list(local.parameters()))
            for parameter, gradient in zip(local.parameters(), gradients, strict=True):
                parameter.data -= 0.1 * gradient
        update = FlatNetwork(local).flatten() - before
        torch.testing.assert_close(found.updates[client], update, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(found.updates, training(batches, client_lr=0.07).updates, rtol=1e-3)


def test_functions_that_cannot_be_vectorised_are_used_one_by_one(caplog):
    def choosy(scores, labels, weights, update):
        return batch_loss(scores, labels, weights, "sum") * (2 if float(update.detach().sum()) > 0 else 1)

    caplog.set_level(logging.INFO, "flt")
    network, batches = mlp(), sample()
    alike(
        *(
            LocalTraining(network, LocalSettings("sum"), k).by_recipe(batches, Recipe(loss=choosy), client_lr=0.1)
            for k in (3, 1)
        )
    )
    assert ["choosy" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_loss_of_what_a_layer_is_given(chunk):
    """The layers from there on stay; those before take the step that autograd finds."""
    network, batches = made(mlp), sample(local_steps=1)

    def spread(given, labels, weights, update):
        return (weights[:, None] * given).square().sum() + update.sum()

    encoder = LocalTraining(Encoder(network, "2"), clients_per_chunk=chunk)
    found = encoder.by_recipe(batches, Recipe(spread, before="2"), client_lr=0.1)
    for client in range(2):
        features = batches.features[client, 0, : int(batches.sizes[client, 0])]
        loss = network[:2](features).square().sum()
        parts = torch.autograd.grad(loss, list(network[:2].parameters()))
        before = torch.cat([part.flatten() for part in parts])
        expected = -0.1 * (torch.cat([before, torch.zeros(len(found.updates[0]) - len(before))]) + 1)
        torch.testing.assert_close(found.updates[client], expected, rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_not_there_or_never_called_is_refused():
    with pytest.raises(InputError, match="before='9'"):
        Encoder(mlp(), "9")
    network = nn.Sequential(nn.Linear(2, 2))
    network.add_module("idle", nn.Identity())
    network.forward = lambda features: network[0](features)
    with pytest.raises(InputError, match="does not call"):
        Encoder(network, "idle")(torch.zeros(1, 2))
