"""What becomes of the statistics of batch normalisation in a run; test_networks.py has how each kind is trained."""

import copy
import re
import warnings
from functools import partial

import numpy as np
import pytest
import tiny
import torch
from tiny import NUM_CLASSES, NUM_FEATURES, Recorder, Sending, TinyData
from torch import nn

from callbacks import FedAvg, FLTrust, Krum, TrimAttack
from flt.data import Examples, PixelTrigger, RawData
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, FederatedCallback
from flt.models import ResNet20

pytestmark = pytest.mark.filterwarnings("ignore:FLTrust. an update was zero in a round:UserWarning")  # the empty client

DROPPED = "updates with a NaN or an infinity were dropped"
FEW = (14, 2, 0, 8, 20, 11, 6, 1)  # before the root dataset is taken out


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


# Unusable clients


class Glaring(Pictures):
    """The fifth client's images are so bright that their variance is infinite, though its update is not."""

    def setup(self, stage=None):
        super().setup(stage)
        self.clients.of(4).features.mul_(1e25)


def test_clients_whose_statistics_or_update_are_not_finite_are_dropped(fit):
    recorder, network = Recorder(), made(pictures)
    with pytest.warns(UserWarning, match=DROPPED):
        fit(
            FLTrust(variant="withServer"),
            Sending(float("nan"), clients=(0, 7)),
            recorder,
            network=network,
            initialization="network",
            data=Glaring(),
        )
    assert recorder.honest[0].updates[4].isfinite().all()
    assert not recorder.honest[0].statistics[4].isfinite().all()
    for round, aggregate in recorder.ended:
        assert round.client_ids.tolist() == [1, 2, 3, 5, 6]
        assert len(round.statistics) == 5
        assert aggregate.statistics.isfinite().all()
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


class Reporting(FederatedCallback):
    """Makes statistics something else."""

    needs_root_update = True

    def __init__(self, clients=None, root=None):
        self.clients, self.root = clients, root

    def on_client_updates(self, round):
        if self.clients is not None:
            round = round.replace(statistics=self.clients(round.statistics))
        return round if self.root is None else round.replace(root_statistics=self.root(round.root_statistics))


@pytest.mark.parametrize(("rule", "keeps_root"), [(Krum, False), (partial(FLTrust, variant="withServer"), True)])
def test_no_statistics_left(fit, rule, keeps_root):
    network, spoil = made(vectors), Reporting(lambda statistics: statistics * float("nan"))
    before = copy.deepcopy(network.state_dict())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        fit(rule(), spoil, network=network, initialization="network")
    messages = {str(warning.message).split(" (")[0] for warning in warned if warning.category is UserWarning}
    same = [torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items()]
    if keeps_root:  # whose own are still there
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


# Other rules


class First(Aggregation):
    """A rule that says nothing of statistics."""

    def aggregate(self, round):
        return Aggregate(round.updates[0])


def test_the_median_stands_in_for_a_rule_without_statistics(fit):
    """Of an even number of clients it is the mean of the two in the middle."""
    recorder = Recorder()
    fit(First(), recorder, network=made(vectors), initialization="network", clients_per_round=4, rounds=1)
    change = np.median(recorder.received[0].statistics.double().numpy(), axis=0)
    np.testing.assert_allclose(recorder.ended[0][1].statistics.numpy(), change, rtol=1e-6, atol=1e-7)


def test_a_network_that_tracks_nothing(fit):
    recorder = Recorder()
    fit(FLTrust(), TrimAttack(), recorder, network=made(pictures, track_running_stats=False), data=Pictures())
    assert recorder.received[0].statistics.shape == (8, 0)


# Precision and evaluation


def test_bf16_mixed(fit):
    exact, rounded, recorder = made(pictures), made(pictures), Recorder()
    settings = {"data": Pictures(), "initialization": "network", "local_steps": 2, "client_lr": 0.005}
    fit(FLTrust(variant="withServer"), network=exact, **settings)
    bf16 = {"precision": "bf16-mixed"}
    fit(FLTrust(variant="withServer"), recorder, network=rounded, trainer_settings=bf16, **settings)
    for round, aggregate in recorder.ended:
        assert round.statistics.dtype == aggregate.statistics.dtype == torch.float32
    assert not torch.equal(rounded[1].running_mean, exact[1].running_mean)
    torch.testing.assert_close(rounded.state_dict(), exact.state_dict(), rtol=0.05, atol=0.03)


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
    "last of a pass": (FedAvg, {"local_epochs": 1}, {}, ONE),
    "root's last of a pass": (FLTrust, {"local_epochs": 1, "data": TinyData(batch_size=7)}, {}, ONE),
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


def test_resnet20_learns(fit):
    recorder, data = Recorder(), Pictures((3, 32, 32), sizes=(8,) * 4, batch_size=4, eval_batch_size=50)
    fit(FedAvg(), recorder, network=made(ResNet20, num_classes=NUM_CLASSES), data=data, rounds=10, client_lr=0.003)
    losses = [float(round.losses.mean()) for round in recorder.received]
    assert sum(losses[-3:]) / 3 < 0.5 * losses[0]
