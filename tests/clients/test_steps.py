"""What clients make of their gradients, in each way of training, beside one torch optimizer for each client."""

import copy
from functools import partial

import pytest
import torch
from tiny import NUM_CLASSES, NUM_FEATURES, draw_batches, mlp
from torch import nn
from torch.nn.utils import parameters_to_vector

from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining

SIZES = [9, 3, 0, 20, 8]
NETWORKS = {
    "mlp": mlp,
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, NUM_FEATURES)), nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, NUM_CLASSES)
    ),
    "batch norm": lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 4), nn.BatchNorm1d(4), nn.Linear(4, NUM_CLASSES)),
}
# Network, clients trained at once, local steps: by layers, one by one and in chunks.
WAYS = {
    "layers": ("mlp", 9, 1),
    "one by one, a step": ("convolution", 1, 1),
    "one by one": ("batch norm", 1, 3),
    "chunks, a step": ("convolution", 2, 1),
    "chunks": ("convolution", 2, 3),
}
SGD = partial(torch.optim.SGD, lr=0.05)
# Settings, and the torch optimizer that does the same.
SETTINGS = {
    "decay": ({"weight_decay": 0.3}, partial(SGD, weight_decay=0.3)),
}


def made(name):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return NETWORKS[name]()


def sample(local_steps, seed=0):
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(sum(SIZES), NUM_FEATURES, generator=draw)
    labels = torch.randint(NUM_CLASSES, (sum(SIZES),), generator=draw)
    starts, sizes = torch.tensor([0, *SIZES[:-1]]).cumsum(0), torch.tensor(SIZES)
    return draw_batches(features, labels, starts, sizes, local_steps=local_steps, batch_size=8, generator=draw)


def by_torch(network, batches, optimizer_of):
    """What training loops of torch make of each client's batches."""
    updates = []
    for client, sizes in enumerate(batches.sizes.tolist()):
        local = copy.deepcopy(network).double()
        before = parameters_to_vector(local.parameters()).detach()
        optimizer = optimizer_of(client, list(local.parameters()))
        for step, size in enumerate(filter(None, sizes)):
            optimizer.zero_grad()
            scores = local(batches.features[client, step, :size].double())
            nn.functional.cross_entropy(scores, batches.labels[client, step, :size]).backward()
            optimizer.step()
        updates.append(parameters_to_vector(local.parameters()).detach() - before)
    return torch.stack(updates)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", SETTINGS)
def test_agrees_with_an_optimizer_for_each_client(way, case):
    (name, chunk, local_steps), (settings, make) = WAYS[way], SETTINGS[case]
    network = made(name)
    training = LocalTraining(network, LocalSettings("mean", **settings), chunk)
    batches = sample(local_steps)
    expected = by_torch(network, batches, lambda client, parameters: make(parameters))
    torch.testing.assert_close(training(batches, client_lr=0.05).updates.double(), expected, rtol=1e-4, atol=1e-6)
