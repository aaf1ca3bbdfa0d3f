import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from networks import Recurrent
from tiny import NUM_CLASSES, NUM_FEATURES, draw_batches, mlp
from torch import nn

from flt.clients import training as clients
from flt.clients.batches import LocalBatches, take_batches
from flt.clients.draws import EpochRows
from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining
from flt.models import ResNet20

SIZES = [9, 3, 0, 20, 8]


class Shared(nn.Module):
    """Calls one layer twice, by two names."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.Linear(NUM_FEATURES, NUM_FEATURES), nn.Linear(NUM_FEATURES, NUM_CLASSES)
        self.again = self.inner

    def forward(self, features):
        return self.last(torch.tanh(self.inner(torch.tanh(self.again(features)))))


class Tied(nn.Module):
    """Uses a layer's weight in two ways, one of them not through the layer."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.Linear(NUM_FEATURES, 4), nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def forward(self, features):
        return self.last(torch.tanh(self.inner(features)) @ self.inner.weight)


class Detour(nn.Module):
    """Has a layer that the scores do not depend on."""

    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(NUM_FEATURES, NUM_CLASSES), nn.Linear(2, 2)

    def forward(self, features):
        return self.used(features)


class Folded(nn.Module):
    """Runs a layer over a dimension between batch and features."""

    def __init__(self):
        super().__init__()
        self.part, self.last = nn.Linear(4, 2), nn.Linear(6, NUM_CLASSES)

    def forward(self, features):
        return self.last(torch.tanh(self.part(features.unflatten(1, (3, 4)))).flatten(1))


NETWORKS = {
    "logistic": lambda: nn.Linear(NUM_FEATURES, NUM_CLASSES),
    "no-bias": lambda: nn.Linear(NUM_FEATURES, NUM_CLASSES, bias=False),
    "mlp": mlp,
    "relu-in-place": lambda: nn.Sequential(
        nn.Linear(NUM_FEATURES, 6), nn.ReLU(inplace=True), nn.Linear(6, NUM_CLASSES)
    ),
    "norm": lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 6), nn.LayerNorm(6), nn.Linear(6, NUM_CLASSES)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, NUM_FEATURES)), nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, NUM_CLASSES)
    ),
    "shared": Shared,
    "shared, batch-norm": lambda: nn.Sequential(Shared(), nn.BatchNorm1d(NUM_CLASSES)),
    "tied": Tied,
    "detour": Detour,
    "folded": Folded,
    "batch-norm": lambda: nn.Sequential(
        nn.Linear(NUM_FEATURES, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, NUM_CLASSES)
    ),
    "batch-norm-convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)),
        nn.Conv2d(1, 3, 2, bias=False),
        nn.BatchNorm2d(3),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(18, NUM_CLASSES),
    ),
    "batch-norm-without-statistics": lambda: nn.Sequential(
        nn.Linear(NUM_FEATURES, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, NUM_CLASSES)
    ),
}


SOME = ["mlp", "convolution", "batch-norm", "batch-norm-convolution"]


def made(name):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = NETWORKS[name]()
        for key, buffer in network.named_buffers():
            if "running" in key:  # not where they start
                buffer.uniform_(0.5, 1.5)
        return network


def sample(local_steps=1, sizes=SIZES, seed=0):
    draw = torch.Generator().manual_seed(seed)
    num_examples = sum(sizes)
    return draw_batches(
        torch.randn(num_examples, NUM_FEATURES, generator=draw),
        torch.randint(NUM_CLASSES, (num_examples,), generator=draw),
        torch.tensor([0, *sizes[:-1]]).cumsum(0),
        torch.tensor(sizes),
        local_steps=local_steps,
        batch_size=8,
        generator=draw,
    )


def sample_of_epochs():
    """Two passes over each client's examples, in batches of 5, of which the last is smaller."""
    draw = torch.Generator().manual_seed(0)
    sizes, starts = torch.tensor(SIZES), torch.tensor([0, *SIZES[:-1]]).cumsum(0)
    rows = EpochRows(torch.arange(5), starts, sizes, 2, 5, lambda client: torch.Generator().manual_seed(client))
    labels = torch.randint(NUM_CLASSES, (sum(SIZES),), generator=draw)
    return take_batches(torch.randn(sum(SIZES), NUM_FEATURES, generator=draw), labels, rows[:])


def naive(network, batches, client_lr, loss_reduction):
    """One client after the other, in float64: ``w_i <- w_i - client_lr * grad Loss``, then ``w_i - w``.

    The same of running means and variances, which move with each step.
    """
    updates, losses, statistics = [], [], []
    for client in range(len(batches.labels)):
        local = copy.deepcopy(network).double()
        start = torch.cat([p.detach().flatten() for p in local.parameters() if p.requires_grad])
        before = running(local)
        loss = torch.zeros(())
        for step in range(batches.labels.shape[1]):
            there = batches.weights[client, step] == 1
            if not there.any():
                continue
            features, labels = batches.features[client, step][there].double(), batches.labels[client, step][there]
            local.zero_grad()
            scores = local(features)
            nn.functional.cross_entropy(scores, labels, reduction=loss_reduction).backward()
            loss = nn.functional.cross_entropy(scores, labels).detach()
            with torch.no_grad():
                for parameter in local.parameters():
                    if parameter.grad is not None:
                        parameter -= client_lr * parameter.grad
        updates.append(torch.cat([p.detach().flatten() for p in local.parameters() if p.requires_grad]) - start)
        losses.append(loss.float())
        statistics.append(running(local) - before)
    return torch.stack(updates), torch.stack(losses), torch.stack(statistics)


def running(network):
    found = [buffer.flatten() for name, buffer in network.named_buffers() if "running" in name]
    return torch.cat([torch.zeros(0), *found])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("draw", "loss_reduction", "chunk"),
    [(sample, "mean", "auto"), (lambda: sample(3), "sum", 2), (sample_of_epochs, "mean", 2)],
)
def test_agrees_with_one_client_after_the_other(name, draw, loss_reduction, chunk):
    network, batches = made(name), draw()
    training = LocalTraining(network, LocalSettings(loss_reduction), clients_per_chunk=chunk)
    before, own = copy.deepcopy(network.state_dict()), network.state_dict(keep_vars=True)
    updates, losses, statistics = training(batches, client_lr=0.05)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(value is own[key] for key, value in network.state_dict(keep_vars=True).items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(tensor.requires_grad for tensor in (updates, losses, statistics))
    expected, expected_losses, expected_statistics = naive(network, batches, 0.05, loss_reduction)
    assert updates.dtype == statistics.dtype == torch.float32
    torch.testing.assert_close(updates.double(), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(losses, expected_losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(statistics.double(), expected_statistics.double(), rtol=1e-5, atol=1e-6)
    assert not updates[SIZES.index(0)].any()
    assert not statistics[SIZES.index(0)].any()


def test_resnet20_agrees_with_one_client_after_the_other(monkeypatch):
    # Of a million activations some are zero but for rounding, which then decides about a ReLU's gradient.
    monkeypatch.setattr(nn.functional, "relu", lambda features, inplace=False: nn.functional.silu(features))
    network, draw = ResNet20(num_classes=NUM_CLASSES), torch.Generator().manual_seed(0)
    features = torch.randn(3, 1, 2, 3, 32, 32, generator=draw)
    labels = torch.randint(NUM_CLASSES, (3, 1, 2), generator=draw)
    batches = LocalBatches(features, labels, torch.ones(3, 1, 2), torch.full((3, 1), 2))
    trained, expected = LocalTraining(network)(batches, client_lr=0.001), naive(network, batches, 0.001, "sum")
    for found, exact in zip(trained, expected, strict=True):
        torch.testing.assert_close(found.double(), exact.double(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", SOME)
def test_any_chunk_gives_the_same_updates(name, monkeypatch):
    """Up to 1e-6: a matrix product may add in another order for another number of clients."""
    network, batches = made(name), sample(local_steps=3)
    results = []
    for chunk in ("auto", 1, 2, 7):
        training = LocalTraining(network, clients_per_chunk=chunk)
        results.append(training(batches, client_lr=0.05))
    monkeypatch.setattr(clients, "AUTO_CHUNK", {"cpu": 1})  # then "auto" is one client at a time
    results.append(LocalTraining(network)(batches, client_lr=0.05))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SOME)
def test_groups_trained_together_are_what_they_are_alone(name):
    """The server's root update joins the clients' pass; its batch has another size."""
    network, local_steps = made(name), 3
    training = LocalTraining(network)
    features, labels = torch.randn(1, local_steps, 11, NUM_FEATURES), torch.randint(NUM_CLASSES, (1, local_steps, 11))
    groups = [sample(local_steps), LocalBatches(features, labels, None, torch.full((1, local_steps), 11))]
    together = training.together(groups, client_lr=0.05)
    assert len(together) == 2
    for trained, batches in zip(together, groups, strict=True):
        alone = training(batches, client_lr=0.05)
        torch.testing.assert_close(trained, alone, rtol=1e-6, atol=1e-6)


def test_auto_measures_once_and_keeps_to_it(monkeypatch):
    asked = []

    def choose(name, values, run, *, key, device):
        asked.append((values, key))
        run(values[-1])
        return values[-1]

    monkeypatch.setattr(clients, "fastest", choose)
    training, batches = LocalTraining(made("convolution")), sample(local_steps=2)
    first, second = (training(batches, client_lr=0.05) for _ in range(2))
    ((values, key),) = asked
    assert values == [1, 5]
    assert training.chosen_chunks == {key: 5}
    expected = LocalTraining(training.network, clients_per_chunk=5)(batches, client_lr=0.05)
    for trained in (first, second):
        assert all(torch.equal(one, other) for one, other in zip(trained, expected, strict=True))
    training(sample(local_steps=3), client_lr=0.05)
    assert len(asked) == 2  # another size


@pytest.mark.parametrize("why", ["deterministic", "layers", "batch-norm", "one client", "given"])
def test_auto_measures_nothing_where_there_is_no_choice(why, monkeypatch):
    monkeypatch.setattr(clients, "fastest", lambda *args, **kwargs: pytest.fail("measured"))
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: why == "deterministic")
    network = made({"layers": "mlp", "batch-norm": "batch-norm"}.get(why, "convolution"))
    batches = sample(sizes=[9] if why == "one client" else SIZES)
    training = LocalTraining(network, clients_per_chunk=3 if why == "given" else "auto")
    updates, *_ = training(batches, client_lr=0.05)
    torch.testing.assert_close(updates.double(), naive(network, batches, 0.05, "sum")[0], rtol=1e-4, atol=1e-6)


def test_what_cannot_be_vectorised_is_remembered(monkeypatch, caplog):
    """As a resumed run has it from its checkpoint, it is not even tried."""
    caplog.set_level("INFO", "flt")
    batches, network = sample(local_steps=2), Recurrent()
    training = LocalTraining(network, clients_per_chunk=2)
    first, second = (training(batches, client_lr=0.05) for _ in range(2))
    (told,) = caplog.messages
    assert told.startswith("model.clients_per_chunk has no effect: Recurrent cannot be vectorised over clients (")
    assert list(training.chosen_chunks.values()) == [1]
    monkeypatch.setattr(clients, "obstacle_to_vectorising", lambda *args: pytest.fail("tried"))
    resumed = LocalTraining(network)
    resumed.chosen_chunks.update(training.chosen_chunks)
    for trained in (second, resumed(batches, client_lr=0.05)):
        assert all(torch.equal(one, other) for one, other in zip(trained, first, strict=True))


def test_nothing_is_tried_without_an_example():
    training = LocalTraining(made("convolution"), clients_per_chunk=2)
    empty = sample(sizes=[0, 0, 8]).of(slice(0, 2))
    assert not training(empty, client_lr=0.05).updates.any()
    training(sample(), client_lr=0.05)
    assert not training.chosen_chunks


@pytest.mark.parametrize(("name", "precision"), [("convolution", "bf16-mixed"), ("batch-norm", "32-true")])
def test_one_by_one_in_threads(name, precision, threads):
    """However many there are, an update is the same to the last bit: each client has one thread."""
    network, batches = made(name), sample(local_steps=2)
    own = copy.deepcopy(network.state_dict())
    results = []
    for count in (1, 2, 4):
        threads(count)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            training = LocalTraining(network, clients_per_chunk=1)
            results.append([training(batches, client_lr=0.05) for _ in range(2)])
        assert torch.get_num_threads() == count
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == count
    for first, second in results:
        for trained, expected in zip((*first, *second), (*results[0][0], *results[0][0]), strict=True):
            assert torch.equal(trained, expected)
    assert all(torch.equal(value, own[key]) for key, value in network.state_dict().items())


def test_an_error_in_a_thread_is_raised_and_threads_are_as_before(threads):
    threads(2)
    network = made("batch-norm")
    training = LocalTraining(network)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        training(sample()._replace(features=torch.ones(5, 1, 8, 2)), client_lr=0.1)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("filler", [7.0, 1e38])
def test_padding_has_no_influence(name, filler):
    """Whatever example it repeats: it may be another client's, and a malicious one's."""
    network, batches = made(name), sample(local_steps=2)
    padding = batches.weights == 0
    assert padding.any()
    others = LocalBatches(
        torch.where(padding[..., None], filler, batches.features),
        torch.where(padding, 2, batches.labels),
        batches.weights,
        batches.sizes,
    )
    training = LocalTraining(network)
    trained = training(batches, client_lr=0.05)
    again = training(others, client_lr=0.05)
    torch.testing.assert_close(again, trained, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", SOME)
def test_a_client_with_a_nan_spoils_its_own_update_only(name):
    network, batches = made(name), sample(local_steps=2)
    features = batches.features.clone()
    features[3] = float("nan")
    training = LocalTraining(network)
    clean = training(batches, client_lr=0.05)
    spoiled = training(batches._replace(features=features), client_lr=0.05)
    others = torch.tensor([0, 1, 2, 4])
    for result, expected in zip(spoiled, clean, strict=True):
        torch.testing.assert_close(result[others], expected[others], rtol=1e-6, atol=1e-7)
    assert spoiled.updates[3].isnan().any()
    assert spoiled.statistics[3].isnan().any() == name.startswith("batch-norm")


def test_a_small_step_from_large_parameters_keeps_its_digits():
    network = made("logistic")
    with torch.no_grad():
        network.weight += 1000.0
    training = LocalTraining(network)
    batches = sample(local_steps=3)
    updates, *_ = training(batches, client_lr=1e-6)
    longer, *_ = training(batches, client_lr=1e-4)
    torch.testing.assert_close(updates * 100, longer, rtol=1e-2, atol=1e-6)
    assert updates[0].any()


def test_clients_know_nothing_of_each_other():
    """A client's statistics start where the network's are, whoever trained before it."""
    network, batches = made("batch-norm-convolution"), sample(local_steps=2)
    training = LocalTraining(network)
    together = training(batches, client_lr=0.05)
    order = torch.tensor([4, 2, 0, 3, 1])
    shuffled = training(batches.of(order), client_lr=0.05)
    for result, expected in zip(shuffled, together, strict=True):
        assert torch.equal(result, expected[order])
