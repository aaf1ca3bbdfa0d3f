"""Runs of networks with batch normalisation, against a reference that trains one client after the other.

Which examples are drawn, what an attack poisons and what it crafts is tested elsewhere and taken from the run;
everything else is written out here: local training, the rules' weights for updates and statistics, the server's step.
"""

import copy
import re
import warnings
from functools import partial

import numpy as np
import pytest
import tiny
import torch
from catalogue import ATTACKS, RULES, partner
from tiny import NUM_CLASSES, NUM_FEATURES, Recorder, Sending, TinyData, draw_batches
from torch import nn

from callbacks import FedAvg, FLTrust, LabelFlippingAttack, NoAttack, TrimAttack
from flt.data import Examples, PixelTrigger, RawData
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Attack, FederatedCallback
from flt.models import ResNet20
from flt.random import generator, sample_clients

pytestmark = [
    pytest.mark.filterwarnings("ignore:FLTrust. an update was zero in a round:UserWarning"),  # the empty client
    pytest.mark.filterwarnings("ignore:model.num_byzantine=.* has no effect:UserWarning"),  # not all rules ask
]

DROPPED = "updates with a NaN or an infinity were dropped"
FEW = (14, 2, 0, 8, 20, 11, 6, 1)  # before the root dataset is taken out
MANY = tuple(size or 4 for size in FEW)  # Krum picks an update of zero, which is in the middle of all, if it can


class Pictures(TinyData):
    """Images whose classes differ in brightness, for clients of very unequal size."""

    trigger = PixelTrigger([(0, 0), (-1, -2)])

    def __init__(self, shape=(1, 6, 6), sizes=FEW, root_size=9, batch_size=6, **settings):
        super().__init__(sizes, root_size=root_size, batch_size=batch_size, **settings)
        self.shape = shape

    def load(self, seed):
        draw = torch.Generator().manual_seed(5)
        num_train = sum(self.sizes)
        labels = torch.randint(NUM_CLASSES, (num_train + 12,), generator=draw)
        features = torch.randn(len(labels), *self.shape, generator=draw) + labels.view(-1, 1, 1, 1)
        owners = torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))
        examples = Examples(features, labels)
        return RawData(examples[:num_train], owners, examples[num_train:], False, len(self.sizes))


class States(FederatedCallback):
    """Notes the global model after each round."""

    def __init__(self):
        self.after = []

    def on_round_end(self, trainer, round, aggregate):
        self.after.append(copy.deepcopy(trainer.lightning_module.network.state_dict()))


class Constant(nn.Module):
    """Centres its input by a buffer that never changes."""

    def __init__(self, width):
        super().__init__()
        self.register_buffer("centre", torch.linspace(-1.0, 1.0, width))
        self.register_buffer("marks", torch.tensor([3, 1]))

    def forward(self, features):
        return features - self.centre


class Twice(nn.Module):
    """Calls one normalisation twice in a pass."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(NUM_FEATURES, 5), nn.BatchNorm1d(5)
        self.second, self.last = nn.Linear(5, 5), nn.Linear(5, NUM_CLASSES)

    def forward(self, features):
        return self.last(self.norm(self.second(torch.tanh(self.norm(self.first(features))))))


def vectors(norm=nn.BatchNorm1d, *more, **settings):
    layers = nn.Linear(NUM_FEATURES, 5), norm(5, **settings), nn.Tanh(), *more, nn.Linear(5, NUM_CLASSES)
    return nn.Sequential(*layers)


def pictures(*, bias=True, **settings):
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=bias),
        nn.BatchNorm2d(3, **settings),
        nn.Tanh(),
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4, **settings),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, NUM_CLASSES),
    )


def made(make, **settings):
    """A network that has been somewhere before: no statistic and no weight is at its default."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = make(**settings)
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for tensor in (module.weight, module.running_var):
                    if tensor is not None:
                        tensor.detach().uniform_(0.5, 1.5)
                if module.running_mean is not None:
                    module.running_mean.normal_()
                    module.num_batches_tracked.fill_(4)
    return network


# The reference


def parameters_of(network):
    pieces = [parameter.detach().flatten() for parameter in network.parameters() if parameter.requires_grad]
    return torch.cat(pieces).double().numpy()


def tracked(network):
    return {n: b for n, b in network.named_buffers() if n.endswith(("running_mean", "running_var"))}


def statistics_of(network):
    return torch.cat([torch.zeros(0), *(buffer.flatten() for buffer in tracked(network).values())]).double().numpy()


def train(network, batches, client_lr, loss_reduction):
    """One client: how its parameters and its statistics change."""
    local = copy.deepcopy(network)
    for features, labels in batches:
        if len(labels):
            local.zero_grad()
            nn.functional.cross_entropy(local(features.double()), labels, reduction=loss_reduction).backward()
            with torch.no_grad():
                for parameter in local.parameters():
                    if parameter.grad is not None:
                        parameter -= client_lr * parameter.grad
    return parameters_of(local) - parameters_of(network), statistics_of(local) - statistics_of(network)


def drawn(examples, offsets, ids, *, local_steps, batch_size, stream, number, before=None):
    """Each client's batches: a list of (features, labels) for each of ``ids``."""
    rows = draw_batches(
        torch.arange(len(examples.labels)),
        examples.labels,
        offsets[:-1][ids],
        offsets.diff()[ids],
        local_steps=local_steps,
        batch_size=batch_size,
        generator=generator(0, stream, number),
        before=before,
    )
    chosen = [[r[w == 1] for r, w in zip(*pair, strict=True)] for pair in zip(rows.features, rows.weights, strict=True)]
    for client, steps in zip(ids, chosen, strict=True):
        assert all(len(step) == min(batch_size, int(offsets.diff()[client])) for step in steps)
    return [[(examples.features[step], examples.labels[step]) for step in steps] for steps in chosen]


@torch.no_grad()
def step(network, update, change):
    """The server's: parameters and statistics move, variances not below 0, and nothing else does."""
    update, change = torch.from_numpy(update), torch.from_numpy(change)
    for parameter in network.parameters():
        if parameter.requires_grad:
            piece, update = update[: parameter.numel()], update[parameter.numel() :]
            parameter += piece.view_as(parameter)
    for name, buffer in tracked(network).items():
        piece, change = change[: buffer.numel()], change[buffer.numel() :]
        buffer += piece.view_as(buffer)
        if name.endswith("running_var"):
            buffer.clamp_(min=0.0)
    assert not len(update)
    assert not len(change)


def expected_states(
    network,
    rule,
    data,
    honest,
    sent,
    *,
    client_lr,
    local_steps=1,
    loss_reduction="sum",
    root_batch_size=None,
    clients_per_round=None,
    fraction=0.2,
    server_lr=1.0,
):
    """The global model after each round; of what the run ``sent`` it takes only what was not ``honest``."""
    sizes = data.clients.sizes
    num_sampled = clients_per_round or len(sizes)
    for number, (before, after) in enumerate(zip(honest, sent, strict=True)):
        ids = sample_clients(len(sizes), num_sampled, seed=0, round_number=number)
        draw = partial(drawn, local_steps=local_steps, number=number)
        poisoned = before.federation.clients
        settings = {"batch_size": data.batch_size, "stream": "batches", "before": sizes[ids]}
        batches = draw(poisoned, poisoned.offsets, ids, **settings)
        trained = [train(network, own, client_lr, loss_reduction) for own in batches]
        updates, statistics = (np.stack(rows) for rows in zip(*trained, strict=True))
        with np.errstate(invalid="ignore", over="ignore"):
            usable = np.isfinite(statistics.astype(np.float32)).all(axis=1)
        for own, given in ((updates, before.updates), (statistics, before.statistics)):
            np.testing.assert_allclose(given.numpy()[usable], own[usable], rtol=1e-5, atol=1e-5)
        changed = (after.updates != before.updates).any(dim=1).numpy()
        updates[changed] = after.updates[torch.from_numpy(changed)].double().numpy()
        usable &= np.isfinite(updates).all(axis=1)
        root = None, None
        if rule.needs_root:
            everything = torch.tensor([0, len(data.root)])
            own = [[(data.root.features, data.root.labels)] * local_steps]
            if root_batch_size is not None:
                own = draw(data.root, everything, torch.tensor([0]), batch_size=root_batch_size, stream="root batches")
            root = train(network, own[0], client_lr, loss_reduction)
        expected = round(round(fraction * len(sizes)) * num_sampled / len(sizes))
        own, f = sizes[ids].double().numpy()[usable], rule.tolerated(expected, int(usable.sum()))
        update = rule.reference(updates[usable], root[0], own, f)
        change = rule.of_statistics(updates[usable], statistics[usable], *root, own, f)
        step(network, server_lr * update, change)
        yield network.state_dict()


def noting(craft, sent):
    """An attack's hook that lets a recorder know of what it makes of the updates, as it is called after all others."""

    def hook(round):
        crafted = craft(round)
        sent.honest[-1] = crafted or round
        return crafted

    return hook


def check_run(fit, rule, *callbacks, network, data, rounds=2, fraction=0.2, **settings):
    """Runs some rounds and compares the global model after each with the reference's.

    Returns which of the statistics have moved, and what the clients sent.
    """
    settings = {"client_lr": 0.02, "local_steps": 2} | settings
    reference, honest, sent, states = copy.deepcopy(network).double(), Recorder(), Recorder(), States()
    for attack in (each for each in callbacks if isinstance(each, Attack)):
        attack.on_client_updates = noting(attack.on_client_updates, sent)
    own = {"initialization": "network", "num_byzantine": round(fraction * len(data.sizes)), **settings}
    everyone = (rule.make(), honest, *callbacks, sent, states)
    fit(*everyone, network=network, data=data, rounds=rounds, **own)
    start = copy.deepcopy(reference.state_dict())
    expected = expected_states(reference, rule, data, honest.honest, sent.honest, fraction=fraction, **settings)
    tolerance = 1e-5 * rule.sharpness
    for given, state in zip(states.after, expected, strict=True):
        assert given.keys() == state.keys()
        for name, value in given.items():
            if name.endswith(("weight", "bias", "running_mean", "running_var")):
                torch.testing.assert_close(value.double(), state[name], rtol=tolerance, atol=tolerance)
            else:
                assert torch.equal(value, start[name].to(value.dtype))
    assert len(states.after) == rounds
    final = states.after[-1].items()
    return [not torch.equal(value, start[name].float()) for name, value in final if "running" in name], sent


def named(name):
    """A rule's row of the table."""
    return next(rule for rule in RULES if rule.name == name)


SOME = [named("Krum"), named("FLTrust-withServer")]


def test_every_rule(fit, rule):
    """Under one of the attacks; about half of them with other settings.

    The server's learning rate is one of parameters only: what clients with the weights of the old model measured is
    not to be scaled.
    """
    attack, has_others = partner(rule.name, ATTACKS).make(), partner(rule.name, (False, True))
    rounds = 2 if rule.rounds is None else 1  # of a rule with a memory the first is a reference's
    others = {"clients_per_round": 7, "loss_reduction": "mean", "local_steps": 3, "server_lr": 0.3}
    if rule.make().needs_root_update:
        others["root_batch_size"] = 4
    data = Pictures(sizes=MANY if rule.selects else FEW)
    # The gradient of a bias before a batch normalisation is nothing but rounding.
    make = pictures if rule.follows else partial(pictures, bias=False)
    settings = {"data": data, "rounds": rounds} | (others if has_others else {})
    moved, sent = check_run(fit, rule, attack, network=made(make), **settings)
    assert all(moved)
    assert sent.honest[0].malicious.any() or has_others or not attack.active


# Unusable clients


class Glaring(Pictures):
    """The fifth client's images are so bright that their variance is infinite, though its update is not."""

    def setup(self, stage=None):
        super().setup(stage)
        self.clients.of(4).features.mul_(1e25)


@pytest.mark.parametrize("rule", SOME, ids=lambda rule: rule.name)
def test_clients_whose_statistics_or_update_are_not_finite_are_dropped(fit, rule):
    with pytest.warns(UserWarning, match=DROPPED):
        _, sent = check_run(
            fit,
            rule,
            Sending(float("nan"), clients=(0, 7)),
            network=made(pictures),
            data=Glaring(),
            fraction=0.3,
            local_steps=1,
        )
    assert sent.honest[0].updates[4].isfinite().all()
    assert sent.honest[0].statistics[4].isinf().any()
    for round, _ in sent.ended:
        assert round.num_dropped == 3
        assert round.client_ids.tolist() == [1, 2, 3, 5, 6]
        assert len(round.statistics) == 5


class Reporting(FederatedCallback):
    """Makes statistics something else."""

    needs_root_update = True

    def __init__(self, clients=None, root=None):
        self.clients, self.root = clients, root

    def on_client_updates(self, round):
        if self.clients is not None:
            round = round.replace(statistics=self.clients(round.statistics))
        return round if self.root is None else round.replace(root_statistics=self.root(round.root_statistics))


@pytest.mark.parametrize("rule", SOME, ids=lambda rule: rule.name)
def test_no_statistics_left(fit, rule):
    network, spoil = made(vectors), Reporting(lambda statistics: statistics * float("nan"))
    before = copy.deepcopy(network.state_dict())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        fit(rule.make(), spoil, network=network, initialization="network")
    messages = {str(warning.message).split(" (")[0] for warning in warned if warning.category is UserWarning}
    same = [torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items()]
    if rule.keeps_root:  # whose own are still there
        assert not all(same)
        assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    else:
        assert all(same)
        assert "a round had no usable aggregate" in messages
    assert any(re.match(DROPPED, message) for message in messages)


def test_root_statistics_that_are_not_finite_leave_the_model_as_it_is(fit):
    network = made(vectors)
    before = copy.deepcopy(network.state_dict())
    spoil = Reporting(root=lambda statistics: statistics * float("nan"))
    with pytest.warns(UserWarning, match="a round had no usable aggregate .*: model unchanged"):
        fit(FLTrust(variant="withServer"), spoil, network=network, initialization="network")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


# Trust


class Opposite(FederatedCallback):
    """Every client sends the root update turned around."""

    needs_root_update = True

    def on_client_updates(self, round):
        return round.replace(updates=-round.root_update.expand_as(round.updates))


def test_nobody_is_trusted_but_the_server(fit):
    recorder = Recorder(needs_root_update=True)
    with pytest.warns(UserWarning, match="FLTrust: every trust score was 0 in a round"):
        fit(FLTrust(variant="withServer"), Opposite(), recorder, network=made(vectors), rounds=1)
    round, aggregate = recorder.ended[0]
    assert round.root_statistics.any()
    torch.testing.assert_close(aggregate.statistics, round.root_statistics)


class Contrary(FederatedCallback):
    """The first client sends the root update, the others one of cosine -0.1 and variances that rise a lot."""

    needs_root_update = True

    def on_client_updates(self, round):
        root, first = round.root_update, torch.arange(len(round.updates))[:, None] == 0
        side = root.roll(1) - (root.roll(1) @ root) / (root @ root) * root
        other = 0.99**0.5 * side / side.norm() * root.norm() - 0.1 * root
        return round.replace(
            updates=torch.where(first, root, other), statistics=round.statistics + torch.where(first, 0.0, 5.0)
        )


def test_negative_weights_do_not_make_a_variance_negative(fit):
    recorder, states = Recorder(needs_root_update=True), States()
    network = made(vectors)
    fit(
        FLTrust(variant="NoReLU"),
        Contrary(),
        recorder,
        states,
        network=network,
        initialization="network",
        clients_per_round=6,
        rounds=2,
    )
    torch.testing.assert_close(
        recorder.ended[0][1].trust_scores, torch.tensor([1.0] + 5 * [-0.1]), rtol=1e-5, atol=1e-5
    )
    assert (recorder.ended[0][1].statistics < -4).all()
    for state in states.after:
        assert (state["1.running_var"] == 0).all()
        assert (state["1.running_mean"] < -4).all()  # a mean may be anything
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


# Kinds of batch normalisation


def untracked():
    return nn.BatchNorm1d(1, track_running_stats=False)


def instances():
    return nn.Unflatten(1, (1, 5)), nn.InstanceNorm1d(1, track_running_stats=True), nn.Flatten()


def frozen(evaluating=True, training=False):
    network = vectors()
    network[1].requires_grad_(training).train(not evaluating)
    return network


KINDS = {
    "averaging": partial(vectors, momentum=None),
    "not tracking": lambda: nn.Sequential(vectors(), nn.Unflatten(1, (1, -1)), untracked(), nn.Flatten()),
    "not affine, and fast": partial(vectors, affine=False, momentum=0.9),
    "evaluating": frozen,
    "evaluating but training": partial(frozen, training=True),
    "not training": partial(frozen, evaluating=False),
    "buffers": lambda: vectors(nn.BatchNorm1d, Constant(5), nn.BatchNorm1d(5)),
    "twice": Twice,
    "instances": lambda: nn.Sequential(nn.Linear(NUM_FEATURES, 5), *instances(), nn.Linear(5, NUM_CLASSES)),
    "instances and batches": lambda: vectors(nn.BatchNorm1d, *instances()),
    "alone": lambda: nn.Sequential(nn.BatchNorm1d(NUM_FEATURES, affine=False), nn.Linear(NUM_FEATURES, NUM_CLASSES)),
    "synchronised": partial(vectors, nn.SyncBatchNorm),
    "beside others": lambda: vectors(
        nn.BatchNorm1d, nn.LayerNorm(5), nn.Unflatten(1, (1, 5)), nn.GroupNorm(1, 1), nn.Flatten()
    ),
}


@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode:UserWarning")  # Lightning's; as it should be
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_batch_normalisation(fit, kind):
    rule = named("FLTrust")
    moved, _ = check_run(fit, rule, LabelFlippingAttack(), network=made(KINDS[kind]), data=TinyData())
    assert all(moved) == (not kind.startswith("evaluating"))
    assert any(moved) == (not kind.startswith("evaluating"))


def test_a_network_that_tracks_nothing(fit):
    network = made(pictures, track_running_stats=False)
    moved, sent = check_run(fit, named("FLTrust"), TrimAttack(), network=network, data=Pictures())
    assert not moved
    assert sent.honest[0].statistics.shape == (8, 0)


# Other rules


class First(Aggregation):
    """A rule that says nothing of statistics."""

    def aggregate(self, round):
        return Aggregate(round.updates[0])


def test_the_median_stands_in_for_a_rule_without_statistics(fit):
    recorder, network = Recorder(), made(vectors)
    before = statistics_of(network)
    fit(First(), recorder, network=network, initialization="network", clients_per_round=4, rounds=1)
    change = np.median(recorder.received[0].statistics.double().numpy(), axis=0)
    np.testing.assert_allclose(statistics_of(network), before + change, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(recorder.ended[0][1].statistics.numpy(), change, rtol=1e-6, atol=1e-7)


# Precision and evaluation


@pytest.mark.parametrize("rule", SOME, ids=lambda rule: rule.name)
def test_bf16_mixed(fit, rule):
    exact, rounded = made(pictures), made(pictures)
    settings = {"data": Pictures(sizes=MANY), "initialization": "network", "local_steps": 2, "client_lr": 0.005}
    fit(rule.make(), NoAttack(), network=exact, **settings)
    recorder = Recorder()
    bf16 = {"precision": "bf16-mixed"}
    fit(rule.make(), NoAttack(), recorder, network=rounded, trainer_settings=bf16, **settings)
    for round, aggregate in recorder.ended:
        assert round.statistics.dtype == aggregate.statistics.dtype == torch.float32
    assert not torch.equal(rounded[1].running_mean, exact[1].running_mean)
    for name, tensor in rounded.state_dict().items():
        assert tensor.dtype == exact.state_dict()[name].dtype
        assert tensor.isfinite().all()
        if not rule.selects:  # it may pick another client
            torch.testing.assert_close(tensor, exact.state_dict()[name], rtol=0.05, atol=0.03)


def test_evaluation_moves_no_statistics(fit, tmp_path):
    """Nor does it depend on the size of its batches."""
    rates = []
    for size in (1, 50):
        data = Pictures(eval_batch_size=size)
        server = fit(FedAvg(), network=made(pictures), data=data)
        before = copy.deepcopy(server.network.state_dict())
        run = tiny.trainer(tmp_path)
        rates.append(run.validate(server, datamodule=data, verbose=False)[0]["testing_error_rate"])
        assert all(torch.equal(tensor, before[name]) for name, tensor in server.network.state_dict().items())
    assert rates[0] == pytest.approx(rates[1])


# Batches that are too small


ONE = "cannot be trained on the smallest batch, of 1: ValueError: Expected more than 1 value"
TOO_SMALL = {
    "batch": (FedAvg, {"data": TinyData(batch_size=1)}, {}, f"Sequential {ONE}.*; have larger batches"),
    "client": (FedAvg, {"data": TinyData(sizes=(30, 1, 20, 0))}, {}, ONE),
    "root": (FLTrust, {"data": TinyData(root_size=1)}, {}, ONE),
    "root batch": (FLTrust, {"root_batch_size": 1}, {}, ONE),
    "evaluation": (
        FedAvg,
        {},
        {"track_running_stats": False},
        r"shape \[12\]: ValueError: Expected more than 1 value",
    ),
}


@pytest.mark.parametrize("case", TOO_SMALL)
def test_a_batch_too_small_for_a_variance(fit, case):
    rule, settings, of_network, message = TOO_SMALL[case]
    with pytest.raises(InputError, match=message):
        fit(rule(), network=made(vectors, **of_network), **settings)


@pytest.mark.parametrize(
    ("rule", "network", "data"),
    [
        (FLTrust, vectors, partial(TinyData, (60, 2, 40, 0), batch_size=2, root_size=2)),
        (FedAvg, vectors, partial(TinyData, root_size=1)),  # which nothing trains on
        (FedAvg, pictures, partial(Pictures, batch_size=1)),
    ],
    ids=["two examples", "nobody's root dataset", "pixels of one image"],
)
def test_enough_for_a_variance(fit, rule, network, data):
    fit(rule(), network=made(network), data=data(), rounds=1)


# ResNet20


def resnet():
    return made(ResNet20, num_classes=NUM_CLASSES)


def colours(**settings):
    return Pictures((3, 32, 32), **settings, eval_batch_size=50)


def test_resnet20_agrees_with_the_reference(fit, monkeypatch):
    # Of a million activations some are zero but for rounding, which then decides about a ReLU's gradient.
    monkeypatch.setattr(nn.functional, "relu", lambda features, inplace=False: nn.functional.silu(features))
    data, settings = (
        colours(sizes=(5, 2, 0, 6), root_size=3, batch_size=2),
        {"client_lr": 0.001, "local_steps": 1, "rounds": 1},
    )
    check_run(fit, named("FLTrust"), TrimAttack(), network=resnet(), data=data, **settings)


def test_resnet20_learns(fit):
    recorder = Recorder()
    fit(FedAvg(), recorder, network=resnet(), data=colours(sizes=(8,) * 4, batch_size=4), rounds=10, client_lr=0.003)
    losses = [float(round.losses.mean()) for round in recorder.received]
    assert sum(losses[-3:]) / 3 < 0.5 * losses[0]
