"""Rounds that come in parts are the rounds that come as a whole."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from catalogue import RULES, partner
from tiny import Recorder, Sending, TinyData, TinyImages, fit, mlp, parameters_of
from torch import nn

from callbacks import (
    FedAvg,
    FLTrust,
    LabelFlipping,
    Median,
    MetricsLogger,
    NoAttack,
    ScalingAttack,
    TrimAttack,
)
from flt.clients.training import LocalTraining
from flt.data.inputs import InputPipeline
from flt.errors import InputError
from flt.federation import FederatedCallback, by_client
from flt.federation.schedule import Schedule
from flt.server import cohort
from flt.server.processes import Processes

STREAMING = [rule for rule in RULES if rule.make().takes_parts]
# Attacks that take a round in parts.
BY_PART = [NoAttack, LabelFlipping, ScalingAttack, partial(ScalingAttack, 0.4, every=2, ramp=3, redraw=True)]
PER_CLIENT = 96  # numbers in a client's batch of 8 examples of 12 features; its update has 83


@pytest.fixture
def in_parts(monkeypatch):
    """Parts of so many clients from now on."""
    monkeypatch.setattr(cohort, "MIN_CLIENTS", 1)
    return lambda clients: monkeypatch.setitem(cohort.PART, "cpu", clients * PER_CLIENT)


@pytest.mark.parametrize(
    ("num_params", "expected"),
    [(2**20 // 400, 400), (2**20 // 10, 64), (2**24 // 20, 20), (2**25, 1)],
    ids=["small", "few threads' worth", "as large as may be", "huge"],
)
def test_clients_in_a_part(num_params, expected, monkeypatch):
    training = SimpleNamespace(flat=SimpleNamespace(num_params=num_params))
    features = torch.zeros(1, 1)
    data = SimpleNamespace(batch_size=1, root=SimpleNamespace(features=features))
    federation = SimpleNamespace(clients=SimpleNamespace(features=features))
    own = cohort.Cohort(training, SimpleNamespace(data=data, federation=federation, examples_per_client=1))
    assert own.clients_per_part == expected


class Counting(FederatedCallback):
    """Notes how many clients came at a time."""

    def __init__(self):
        self.sizes = []

    @by_client
    def on_updates_received(self, round):
        self.sizes.append(len(round))


def run(folder, *callbacks, **settings):
    """A run's parameters, and the rows it logs."""
    metrics = MetricsLogger()
    return parameters_of(fit(folder, *callbacks, metrics, **settings)), metrics.rows


class Ending(FederatedCallback):
    """What rounds end with."""

    def __init__(self):
        self.rounds, self.vectors = [], []

    def on_round_end(self, trainer, round, aggregate):
        self.rounds.append(round)
        self.vectors.append(aggregate.judgement.vectors)


@pytest.mark.parametrize("rule", STREAMING, ids=lambda rule: rule.name)
def test_parts_give_the_same_run(tmp_path, in_parts, rule):
    attack = partner(rule.name, BY_PART)
    settings = {"local_steps": 2, "clients_per_round": 9, "client_momentum": 0.5}
    if rule.make().needs_root_update:
        settings["root_batch_size"] = 6
    whole, ends = Ending(), Ending()
    parameters, rows = run(tmp_path, rule.make(), attack(), whole, **settings)
    in_parts(2 * 4)  # two local steps
    counting = Counting()
    same_parameters, same_rows = run(tmp_path, rule.make(), attack(), counting, ends, **settings)
    assert counting.sizes[:3] == [4, 4, 1]
    torch.testing.assert_close(same_parameters, parameters, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ends.vectors, whole.vectors, rtol=1e-4, atol=1e-6)
    assert [row.keys() for row in same_rows] == [row.keys() for row in rows]
    for row, same in zip(rows, same_rows, strict=True):
        assert same == pytest.approx(row, rel=1e-4, abs=1e-6)
    for one, other in zip(ends.rounds, whole.rounds, strict=True):
        for name in ("client_ids", "malicious", "num_examples"):
            assert torch.equal(getattr(one, name), getattr(other, name))
        torch.testing.assert_close((one.losses, one.root_update), (other.losses, other.root_update))
        assert (one.updates.shape, other.updates.shape) == ((9, 0), (9, 83))


@pytest.mark.parametrize(
    ("attack", "redraw", "clients_per_round"),
    [
        (LabelFlipping, False, 10),
        (LabelFlipping, True, 7),
        (partial(ScalingAttack, scale=1.0), False, 7),
        (partial(ScalingAttack, scale=1.0), True, 10),
    ],
)
def test_who_does_not_attack_trains_on_what_it_would_train_on_without_attack(
    tmp_path, attack, redraw, clients_per_round
):
    """And who does on what it trains on under an attack of everyone at all times."""
    inputs = InputPipeline(normalize=True, flip=True)
    steps = {"local_epochs": 2} if redraw else {"local_steps": 2}
    settings = {**steps, "clients_per_round": clients_per_round}
    attacks = [NoAttack(), attack(0.4), attack(0.4, start_round=1, every=2, ramp=4, redraw=redraw)]
    attacks[1].schedule = Schedule(redraw=redraw)
    without, always, own = (
        fit(tmp_path, FedAvg(), each, data=TinyImages(inputs), network=linear(), rounds=rounds, **settings)
        for each, rounds in zip(attacks, (1, 1, 5), strict=True)  # of which the third has all that a schedule asks for
    )
    without, always, own = (server._reception.cohort for server in (without, always, own))
    for number in range(6):
        attackers = own.federation.attackers(number)[own.draws(number).client_ids]
        batches = [each.client_batches(each.draws(number), slice(None)) for each in (without, always, own)]
        for client, attacks_now in enumerate(attackers.tolist()):
            expected, found = (examples_of(each, client) for each in (batches[attacks_now], batches[2]))
            assert torch.equal(expected[0], found[0])
            assert torch.equal(expected[1], found[1])
            assert not attacks_now or not torch.equal(expected[1], examples_of(batches[0], client)[1])
        assert attackers.any() == (number % 2)


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3))


def examples_of(batches, client):
    """Features and labels of a client's examples, without padding."""
    places = torch.arange(batches.labels.shape[2]) < batches.sizes[client][:, None]
    return batches.features[client][places], batches.labels[client][places]


@pytest.mark.parametrize("callbacks", [(Median(),), (FLTrust(), TrimAttack()), (FedAvg(), Recorder())])
def test_who_needs_all_updates_or_does_not_say_gets_them_all(tmp_path, in_parts, callbacks):
    in_parts(1)
    counting = Counting()
    fit(tmp_path, *callbacks, counting, rounds=1)
    assert counting.sizes == [10]


@pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped")
@pytest.mark.filterwarnings("ignore:a round had no usable aggregate")
@pytest.mark.parametrize("rows", [(0, 1, 2, 4), tuple(range(10))], ids=["a part and one", "all"])
def test_dropped_updates_are_counted_over_the_parts(tmp_path, in_parts, rows):
    results = []
    for clients in (100, 3):
        in_parts(clients)
        results.append(run(tmp_path, FLTrust(), Sending(float("nan"), rows)))
    torch.testing.assert_close(results[1][0], results[0][0], rtol=1e-5, atol=1e-6)
    assert [row["num_dropped"] for row in results[1][1]] == [len(rows)] * 3


def test_batch_normalisation_and_augmentation_in_parts(tmp_path, in_parts):
    states = []
    for clients in (100, 3):
        in_parts(clients * 4)  # an image has four times as many numbers
        with torch.random.fork_rng():
            torch.manual_seed(1)
            network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
        data = TinyImages(InputPipeline(crop_padding=1, flip=True, normalize=True))
        counting = Counting()
        fit(tmp_path, FLTrust(variant="withServer"), counting, data=data, network=network)
        assert counting.sizes[0] == min(clients, 10)
        states.append(network.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-5, atol=1e-6)


@pytest.fixture
def batches_of(tmp_path, monkeypatch):
    """Runs three rounds; returns the server, who took part in each, and their batches as the network saw them."""
    seen, train = [], LocalTraining.together

    def together(self, groups, *, client_lr, steps):
        seen.append(groups[0])
        return train(self, groups, client_lr=client_lr)

    monkeypatch.setattr(LocalTraining, "together", together)

    def start(attack, data, batch_size, **settings):
        seen.clear()
        recorder = Recorder()
        data.batch_size = batch_size
        server = fit(tmp_path, FedAvg(), attack, recorder, data=data, network=flat(data), **settings)
        return server, [round.client_ids for round in recorder.honest], list(seen)

    def flat(data):
        return nn.Sequential(nn.Flatten(), nn.Linear(48, 3)) if isinstance(data, TinyImages) else None

    return start


def test_epochs_are_of_all_examples_and_of_a_few_clients_at_a_time(tmp_path, in_parts, monkeypatch):
    settings = {"local_epochs": 2, "client_momentum": 0.9, "clients_per_round": 9}
    whole, _ = run(tmp_path, Median(), TrimAttack(), **settings)
    at_a_time, train = [], LocalTraining.together

    def together(self, groups, **others):
        at_a_time.append(len(groups[0].labels))
        return train(self, groups, **others)

    monkeypatch.setattr(LocalTraining, "together", together)
    in_parts(3 * 8)  # the largest takes eight steps
    server = fit(tmp_path, Median(), TrimAttack(), **settings)
    assert at_a_time == [3] * 9
    torch.testing.assert_close(parameters_of(server), whole, rtol=1e-4, atol=1e-5)
    first, second = (server._reception.cohort.draws(number) for number in (0, 1))
    for client, steps in zip(first.client_ids.tolist(), first.batches(slice(None)).sizes, strict=True):
        own = server.federation.clients.of(client).features
        assert steps[steps > 0].tolist() == 2 * [*[8] * (len(own) // 8), *[len(own) % 8] * (len(own) % 8 > 0)]
        place = (first.client_ids == client).nonzero().flatten()
        found = examples_of(first.batches(place), 0)[0]
        for epoch in found.split(len(own)):
            assert torch.equal(epoch.sort(dim=0).values, own.sort(dim=0).values)
        assert not torch.equal(found[: len(own)], found[len(own) :])
        if client in second.client_ids:
            again = (second.client_ids == client).nonzero().flatten()
            assert not torch.equal(found, examples_of(second.batches(again), 0)[0])


def augmented_images():
    return TinyImages(InputPipeline(crop_padding=1, flip=True))


@pytest.mark.parametrize("settings", [{"root_batch_size": 4}, {"local_epochs": 1}], ids=["batches", "epochs"])
def test_every_round_draws_anew(tmp_path, settings):
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    server = fit(tmp_path, FLTrust(), data=augmented_images(), network=network, rounds=1, **settings)
    first, again, second = (server.cohort.draws(number) for number in (0, 0, 1))
    for drawn in (
        lambda round: round.rows[torch.arange(10)],
        lambda round: round.augmentation[slice(None)],
        lambda round: round.root_rows,
        lambda round: round.root_augmentation,
    ):
        assert torch.equal(drawn(first), drawn(again))
        assert not torch.equal(drawn(first), drawn(second))


@pytest.mark.parametrize(
    ("make_data", "batch_size", "clients_per_round", "steps"),
    [
        (TinyData, 5, None, {"local_steps": 1}),
        (TinyData, 8, 6, {"local_steps": 3}),
        (augmented_images, 8, None, {"local_steps": 3}),
        (augmented_images, 40, 6, {"local_steps": 1}),
        (augmented_images, 8, 6, {"local_epochs": 2}),
        (TinyData, None, 6, {"local_steps": 2}),
    ],
    ids=[
        "full batches",
        "one too small",
        "one too small of images",
        "all too small",
        "epochs of images",
        "all examples",
    ],
)
def test_benign_clients_train_on_the_same_with_and_without_an_attack(
    batches_of, make_data, batch_size, clients_per_round, steps
):
    settings = {"clients_per_round": clients_per_round, **steps}
    clean_server, clean_ids, clean = batches_of(NoAttack(), make_data(), batch_size, **settings)
    server, ids, attacked = batches_of(ScalingAttack(0.5), make_data(), batch_size, **settings)
    assert server.federation.clients.sizes.max() > clean_server.federation.clients.sizes.max()
    if batch_size is None:
        sizes = [server.federation.clients.sizes[who] for who in ids]
        assert all(map(torch.equal, sizes, [batches.sizes[:, 0] for batches in attacked]))
    for who, same_who, before, after in zip(clean_ids, ids, clean, attacked, strict=True):
        assert torch.equal(who, same_who)
        benign = ~server.federation.malicious[who]
        steps, width = before.labels.shape[1:]
        assert torch.equal(after.labels[benign, :steps, :width], before.labels[benign])
        assert torch.equal(after.features[benign, :steps, :width], before.features[benign])
        assert torch.equal(after.sizes[benign, :steps], before.sizes[benign])
        assert not torch.equal(after.labels[~benign, :steps, :width], before.labels[~benign])
        if after.labels.shape[2] > width:
            assert not after.weights[benign, :, width:].any()


def test_a_lie_about_the_number_of_examples_changes_no_batch(batches_of):
    class Lying(FederatedCallback):
        def on_federation(self, federation):
            return federation.replace(num_examples=10**12 * federation.num_examples)

    (_, _, clean), (_, _, lied) = (batches_of(attack, TinyData(), 8) for attack in (NoAttack(), Lying()))
    assert all(torch.equal(one.features, other.features) for one, other in zip(clean, lied, strict=True))


def test_what_a_class_says_of_its_hooks_is_not_said_of_derived_ones(tmp_path, in_parts):
    class Colluding(LabelFlipping):
        def craft(self, round):
            self.size = len(round)

    in_parts(1)
    attack = Colluding()
    fit(tmp_path, FedAvg(), attack, rounds=1)
    assert attack.size == 10


def test_processes_that_were_started_differently():
    class Three(Processes):
        def _objects(self, own):
            return [own, own, own | {"seed": 7}]

    Processes().check_agree({"seed": 0})
    with pytest.raises(InputError, match=r"processes 0 and 2 differ in seed \(0 and 7\): start all of them alike"):
        Three(0, 3).check_agree({"data": "Tiny", "seed": 0})


def test_what_random_layers_draw_from(tmp_path):
    """A function of seed, round, client and step, or the same for all."""

    def seeds(**settings):
        server = fit(tmp_path, FLTrust(), rounds=1, network=nn.Sequential(mlp(), nn.Dropout()), **settings)
        cohort = server._reception.cohort
        rounds = [cohort.draws(number) for number in (0, 1)]
        drawn = [cohort.client_batches(each, slice(None)).seeds for each in rounds]
        return [each.client_ids for each in rounds], drawn, [cohort.root_batches(each).seeds for each in rounds]

    ids, whole, root = seeds(local_steps=3)
    assert len({*torch.cat([*whole, *root]).flatten().tolist()}) == 66
    ids, some, root = seeds(clients_per_round=4)
    for drawn, those, part in zip(whole, ids, some, strict=True):
        assert torch.equal(drawn[those, :1], part)
    _, repeated, root = seeds(local_epochs=2, random_layers="repeated")
    assert len({*torch.cat([each.flatten() for each in (*repeated, *root)]).tolist()}) == 1
