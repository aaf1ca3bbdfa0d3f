"""What clients make of their gradients, in each way of training, beside one torch optimizer for each client."""

import copy
from functools import partial

import pytest
import torch
from tiny import NUM_CLASSES, NUM_FEATURES, draw_batches, mlp
from torch import nn
from torch.nn.utils import parameters_to_vector

from flt.clients.recipe import Recipe
from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining

SIZES = [9, 3, 0, 20, 8]
NETWORKS = {
    "mlp": mlp,
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, NUM_FEATURES)), nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, NUM_CLASSES)
    ),
    "batch norm": lambda: nn.Sequential(
        nn.Linear(NUM_FEATURES, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, NUM_CLASSES)
    ),
}
# Network, clients trained at once, local steps: by layers, one by one and in chunks.
WAYS = {
    "layers": ("mlp", 9, 1),
    "one by one, a step": ("convolution", 1, 1),
    "one by one": ("batch norm", 1, 3),
    "chunks, a step": ("convolution", 2, 1),
    "chunks": ("convolution", 2, 3),
}
ALL, SOME = [0, 1, 2, 3, 4], [1, 3, 4]
ROUNDS = (ALL, SOME, ALL)
LR = 0.05
SGD, OPTIM = partial(torch.optim.SGD, lr=LR), torch.optim
# Settings, the torch optimizer that does the same, and the factor of its loss.
SETTINGS = {
    "decay": ({"weight_decay": 0.3}, partial(SGD, weight_decay=0.3), 1),
    "momentum": ({"momentum": 0.9}, partial(SGD, momentum=0.9), 1),
    "damped momentum, decay": (
        {"momentum": 0.9, "momentum_scaling": "damped", "weight_decay": 0.3},
        partial(SGD, momentum=0.9, weight_decay=0.03),
        0.1,
    ),
    "proximal": ({"proximal": 0.7}, SGD, 1),
    "clipped, momentum, decay": (
        {"clip_gradient": 0.5, "momentum": 0.9, "weight_decay": 0.3},
        partial(SGD, momentum=0.9, weight_decay=0.3),
        1,
    ),
    "proximal, clipped, Adam": (
        {"proximal": 2.0, "clip_gradient": 0.8, "optimizer": partial(OPTIM.Adam, lr=LR)},
        partial(OPTIM.Adam, lr=LR),
        1,
    ),
    "proximal LBFGS": (
        {"proximal": 3.0, "optimizer": partial(OPTIM.LBFGS, lr=LR, max_iter=1, line_search_fn="strong_wolfe")},
        partial(OPTIM.LBFGS, lr=LR, max_iter=1, line_search_fn="strong_wolfe"),
        1,
    ),
} | {
    f"{make.__name__} {state}": (
        {"optimizer": partial(make, lr=LR, **settings), "optimizer_state": state},
        partial(make, lr=LR, **settings),
        1,
    )
    for make, settings, state in (
        (OPTIM.AdamW, {"weight_decay": 0.3}, "kept"),
        (OPTIM.Adam, {}, "fresh"),
        (OPTIM.Rprop, {}, "kept"),
        (OPTIM.Adafactor, {}, "kept"),
        (OPTIM.LBFGS, {"max_iter": 2}, "kept"),
    )
}


# Of torch's optimizers, with which clients train one after the other whatever the way is called, two ways by turns.
CASES = [
    (case, way)
    for row, case in enumerate(SETTINGS)
    for column, way in enumerate(WAYS)
    if "optimizer" not in SETTINGS[case][0] or (row - column) % len(WAYS) < 2
]


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


class ByTorch:
    """Training loops of torch, one for each client; optimizers go on in the next round, or are made anew in each."""

    def __init__(self, network, make, factor, *, are_kept, proximal=0.0, clip_gradient=None, **others):
        self.network, self.make, self.factor, self.are_kept = network, make, factor, are_kept
        self.proximal, self.clip_gradient = proximal, clip_gradient
        self.locals = {}

    def __call__(self, batches, clients):
        return torch.stack([self.train(batches.of(slice(i, i + 1)), client) for i, client in enumerate(clients)])

    def train(self, batches, client):
        if client not in self.locals or not self.are_kept:
            local = copy.deepcopy(self.network).double()
            self.locals[client] = local, self.make(list(local.parameters()))
        local, optimizer = self.locals[client]
        with torch.no_grad():
            for own, theirs in zip(local.parameters(), self.network.parameters(), strict=True):
                own.copy_(theirs)
        before = parameters_to_vector(local.parameters()).detach()
        for step, size in enumerate(filter(None, batches.sizes[0].tolist())):
            features, labels = batches.features[0, step, :size].double(), batches.labels[0, step, :size]

            def closure(features=features, labels=labels):
                optimizer.zero_grad()
                now = parameters_to_vector(local.parameters())
                loss = self.factor * nn.functional.cross_entropy(local(features), labels)
                loss = loss + self.proximal / 2 * (now - before).square().sum()
                loss.backward()
                if self.clip_gradient is not None:
                    nn.utils.clip_grad_norm_(local.parameters(), self.clip_gradient)
                return loss

            optimizer.step(closure)
        return parameters_to_vector(local.parameters()).detach() - before


@pytest.mark.parametrize("ascends", [False, True], ids=["descent", "ascent"])
@pytest.mark.parametrize(("case", "way"), CASES)
def test_agrees_with_an_optimizer_for_each_client_over_rounds_of_some_of_them(case, way, ascends):
    """Ascent is the descent of minus the loss: weight decay and the proximal term keep their signs."""
    (name, chunk, local_steps), (settings, make, factor) = WAYS[way], SETTINGS[case]
    network = made(name)
    training = LocalTraining(network, LocalSettings("mean", **settings), chunk)
    kept = training.steps.kept(len(SIZES))
    by_torch = ByTorch(network, make, -factor if ascends else factor, are_kept=kept is not None, **settings)
    for number, clients in enumerate(ROUNDS):
        ids = torch.tensor(clients)
        batches = sample(local_steps, number).of(ids)
        steps = None if kept is None else kept.lend(ids)
        if ascends:
            found = training.by_recipe(batches, Recipe(ascends=True), client_lr=-LR, steps=steps).updates
        else:
            found = training.together([batches], client_lr=LR, steps=[steps])[0].updates
        torch.testing.assert_close(found.double(), by_torch(batches, clients), rtol=2e-3, atol=1e-5)


def test_the_proximal_term_by_hand():
    """``mu / 2 * ||w_i - w||^2`` and its gradient, which is beside the usual loss alone."""
    settings, update = LocalSettings(proximal=2.0), torch.tensor([1.0, 2.0])
    assert float(settings.penalty(update)) == 5
    for usual_loss, expected in ((True, [2.0, 4.0]), (False, [0.0, 0.0])):
        found = settings.direction(torch.zeros(2), torch.ones(2), update, usual_loss=usual_loss)
        assert found.tolist() == expected
