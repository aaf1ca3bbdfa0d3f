"""That the attack that runs is the attack named, and what every attack must satisfy in a run."""

import copy
from functools import partial

import hostile
import pytest
import torch
from catalogue import Draws
from tiny import Recorder, TinyData, mlp
from torch import nn
from torch.testing import assert_close

from callbacks import MPAF, FedAvg, FreeRider, PoisonedFL, SignFlip, ZeroUpdate
from flt.data import ClientData
from flt.federation import Round
from flt.functional import finite_rows

pytestmark = [
    pytest.mark.filterwarnings("ignore:.* sends the one (benign|malicious) update that it knows"),  # of few clients
    pytest.mark.filterwarnings("ignore:attack.fraction=0.5 has no effect"),  # of NoAttack
    pytest.mark.filterwarnings("ignore:(updates with a NaN|a round had no usable aggregate)"),  # of what sends such
]


def test_sends_what_its_function_says(fit, attack):
    """And changes neither the data of benign clients nor what the data module keeps."""
    for settings in ({}, *attack.settings):
        recorder, made, data = Recorder(), attack.make(fraction=0.5, **settings), TinyData()
        data.setup()
        before = copy.deepcopy(data.clients)
        server = fit(recorder, made, FedAvg(), data=data, rounds=5 if attack.rounds else 2, clients_per_round=8)
        tolerance = attack.precision if attack.rounds else 0 if attack.function else 1e-6
        arrived, changes = {round.number: round.updates for round in recorder.received}, 0  # the last is no question
        for honest, sent in zip(recorder.honest, sent_by(attack, recorder.honest, settings), strict=True):
            received = arrived.get(honest.number, sent[:0])
            assert_close(received, sent[finite_rows(sent)], rtol=tolerance, atol=tolerance)
            changed = (sent != honest.updates).any(dim=1)
            assert not changed[~honest.malicious].any()
            changes += int(changed.sum())
            assert bool(honest.malicious.any()) == made.active
        assert bool(changes) == attack.changes_updates
        for name in ("features", "labels", "offsets"):
            assert torch.equal(getattr(data.clients, name), getattr(before, name))
        for client in (~server.federation.malicious).nonzero().flatten().tolist():
            held, given = server.federation.clients.of(client), data.clients.of(client)
            assert torch.equal(held.features, given.features)
            assert torch.equal(held.labels, given.labels)


def sent_by(attack, rounds, settings):
    """What the table says of rounds that follow one another."""
    if attack.rounds is None:
        return [sent_in(attack, honest, settings) for honest in rounds]
    values = [(each.updates.double(), each.malicious, each.client_ids, each.parameters.double()) for each in rounds]
    given = [tuple(tensor.numpy() for tensor in each) for each in values]
    draws = [Draws(each.generator(attack.stream), each.updates.dtype) for each in rounds]
    return [torch.tensor(sent).float() for sent in attack.rounds(given, draws, **settings)]


def sent_in(attack, honest, settings):
    """What the table says of a round."""
    given, generator = (honest.updates, honest.malicious, honest.root_update), honest.generator(attack.stream)
    settings = settings | ({"rule": honest.rule} if attack.rule else {})
    if attack.function is not None:
        return attack.function(*given, generator, **settings)
    if attack.reference is not None:
        updates, malicious = given[0].double().numpy(), given[1].numpy()
        return torch.tensor(attack.reference(updates, malicious, None, None, **settings)).float()
    return given[0]


def test_golden_vectors(attack):
    for known in attack.golden:
        updates, malicious = torch.tensor(known.updates), torch.tensor(known.malicious)
        vectors = (torch.ones_like(updates[0]), torch.zeros_like(updates[0]))
        root, parameters = (
            default if given is None else torch.tensor(given)
            for given, default in zip((known.root, known.parameters), vectors, strict=True)
        )
        federation = hostile.federation_of(num_examples=torch.ones(len(updates)), malicious=malicious)
        round = hostile.round_of(federation, updates, root).replace(parameters=parameters, memory=known.memory)
        round = round.replace(rule=attack.rule or round.rule)
        crafted = attack.make(**known.settings).craft(round)
        sent = crafted.updates if isinstance(crafted, Round) else crafted
        assert_close(sent, torch.tensor(known.expected), rtol=1e-6, atol=2e-6, equal_nan=True)


def test_labels_that_malicious_clients_train_on(attack):
    given, trained_on = map(torch.tensor, attack.labels or ([0, 3, 7, 9], [0, 3, 7, 9]))
    federation = hostile.federation_of(num_examples=torch.full((2,), 4), malicious=torch.tensor([False, True]))
    clients = ClientData(torch.zeros(8, 1), given.repeat(2), torch.tensor([0, 4, 8]))
    poisoned = attack.make().on_federation(federation.replace(clients=clients, num_classes=10))
    held = clients if poisoned is None else poisoned.clients
    assert torch.equal(held.of(0).labels, given)
    assert torch.equal(held.of(1).labels[:4], trained_on)
    assert attack.make().active or poisoned is None


def test_rounds_of_one_client_who_is_malicious_or_not(fit, attack):
    recorder, made = Recorder(), attack.make(fraction=0.5)
    fit(FedAvg(), made, recorder, rounds=5, clients_per_round=1)
    assert {bool(round.malicious) for round in recorder.honest} == ({False, True} if made.active else {False})
    assert recorder.parameters[-1].isfinite().all()


@pytest.mark.parametrize("make", [FreeRider, partial(FreeRider, "plain"), ZeroUpdate, partial(MPAF, 1.0), PoisonedFL])
def test_who_does_not_train_moves_no_statistics(fit, make):
    recorder, network = Recorder(), nn.Sequential(mlp(), nn.BatchNorm1d(3))
    fit(FedAvg(), make(fraction=0.5), recorder, rounds=2, network=network)
    for honest, received in zip(recorder.honest, recorder.received, strict=True):
        assert honest.statistics.any(dim=1).all()
        assert torch.equal(received.statistics, honest.statistics * ~honest.malicious[:, None])


@pytest.mark.parametrize(
    ("attack", "arguments", "message"),
    [
        (SignFlip, {"knowledge": "partial"}, "attack.knowledge=partial has no effect"),
        (FreeRider, {"variant": "delta", "sigma": 0.1}, "no effect with variant=delta"),
        (FreeRider, {"variant": "lazy", "gamma": 0.5}, "no effect with variant=lazy"),
    ],
    ids=str,
)
def test_arguments_without_effect(attack, arguments, message):
    with pytest.warns(UserWarning, match=message):
        attack(**arguments)
