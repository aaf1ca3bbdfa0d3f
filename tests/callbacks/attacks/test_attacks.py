"""That the attack that runs is the attack named, and what every attack must satisfy in a run."""

import hostile
import pytest
import torch
from tiny import Recorder, parameters_of

from callbacks import AdaptiveAttack, FedAvg, KrumAttack, LabelFlippingAttack, NoAttack, ScalingAttack, TrimAttack
from flt.data import ClientData
from flt.errors import InputError


@pytest.mark.filterwarnings("ignore:attack.fraction=0.5 has no effect")
@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_sends_what_its_function_says(fit, attack, fraction):
    for settings in ({}, *attack.settings):
        recorder, made = Recorder(), attack.make(fraction=fraction, **settings)
        fit(recorder, made, FedAvg(), rounds=2)
        for honest, received in zip(recorder.honest, recorder.received, strict=True):
            sent = sent_by(attack, honest, settings)
            torch.testing.assert_close(received.updates, sent, rtol=0, atol=0 if attack.function else 1e-6)
            changed = (received.updates != honest.updates).any(dim=1)
            assert torch.equal(changed, honest.malicious & (sent != honest.updates).any())
            assert int(honest.malicious.sum()) == (round(10 * fraction) if made.active else 0)


def sent_by(attack, honest, settings):
    """What the table says of a round."""
    given, generator = (honest.updates, honest.malicious, honest.root_update), honest.generator(attack.stream)
    if attack.function is not None:
        return attack.function(*given, generator, **settings)
    if attack.reference is not None:
        updates, malicious = given[0].double().numpy(), given[1].numpy()
        return torch.tensor(attack.reference(updates, malicious, None, None, **settings)).float()
    return given[0]


def test_golden_vectors(attack):
    for updates, malicious, expected, settings in attack.golden:
        updates, malicious = torch.tensor(updates), torch.tensor(malicious)
        federation = hostile.federation_of(num_examples=torch.ones(len(updates)), malicious=malicious)
        sent = attack.make(**settings).craft(hostile.round_of(federation, updates, torch.ones_like(updates[0])))
        torch.testing.assert_close(sent, torch.tensor(expected))


def test_labels_that_malicious_clients_train_on(attack):
    given, trained_on = map(torch.tensor, attack.labels or ([0, 3, 7, 9], [0, 3, 7, 9]))
    federation = hostile.federation_of(num_examples=torch.full((2,), 4), malicious=torch.tensor([False, True]))
    clients = ClientData(torch.zeros(8, 1), given.repeat(2), torch.tensor([0, 4, 8]))
    poisoned = attack.make().on_federation(federation.replace(clients=clients, num_classes=10))
    held = clients if poisoned is None else poisoned.clients
    assert torch.equal(held.of(0).labels, given)
    assert torch.equal(held.of(1).labels[:4], trained_on)
    assert attack.make().active or poisoned is None


def test_changes_malicious_clients_only(fit, attack):
    """Neither the others' data nor their updates."""
    clean, attacked = Recorder(), Recorder()
    fit(FedAvg(), clean, rounds=1)
    server = fit(FedAvg(), attack.make(), attacked, rounds=1)
    malicious, before, after = server.federation.malicious, clean.received[0].updates, attacked.received[0].updates
    if torch.equal(server.federation.clients.sizes, server.data.clients.sizes):  # else other batches are drawn
        torch.testing.assert_close(after[~malicious], before[~malicious], rtol=1e-6, atol=1e-6)
    for client in (~malicious).nonzero().flatten().tolist():
        held, given = server.federation.clients.of(client), server.data.clients.of(client)
        assert torch.equal(held.features, given.features)
        assert torch.equal(held.labels, given.labels)
    if malicious.any():
        assert (after[malicious] != before[malicious]).any(dim=1).all()


def test_rounds_draw_their_own_numbers(fit):
    recorder = Recorder()
    fit(recorder, TrimAttack(fraction=0.5), FedAvg(), rounds=2)
    shares = []
    for honest, received in zip(recorder.honest, recorder.received, strict=True):
        benign = honest.updates[~honest.malicious]
        goes_down = honest.updates.mean(dim=0) < 0
        edge = torch.where(goes_down, benign.amax(dim=0), benign.amin(dim=0))
        shares.append(((received.updates[honest.malicious] - edge) / edge).abs())
    assert not torch.allclose(*shares, rtol=0.01)


@pytest.mark.filterwarnings("ignore:attack.fraction=.* makes none of:UserWarning")
def test_nobody_malicious(fit, attack):
    honest = parameters_of(fit(FedAvg(), rounds=2))
    assert torch.equal(parameters_of(fit(FedAvg(), attack.make(fraction=0.0), rounds=2)), honest)


def test_rounds_without_a_malicious_client(fit, attack):
    recorder = Recorder()
    fit(FedAvg(), attack.make(), recorder, rounds=8, clients_per_round=3)
    counts = {int(round.malicious.sum()) for round in recorder.received}
    assert 0 in counts
    assert recorder.parameters[-1].isfinite().all()


def test_one_client_a_round(fit, attack):
    recorder = Recorder()
    fit(FedAvg(), attack.make(), recorder, rounds=8, clients_per_round=1)
    assert recorder.parameters[-1].isfinite().all()


@pytest.mark.parametrize(
    ("attack", "arguments", "message"),
    [
        (NoAttack, {"fraction": 1.0}, "attack.fraction=1.0 must be at least 0 and less than 1"),
        (TrimAttack, {"fraction": -0.1}, "attack.fraction=-0.1 must be at least 0 and less than 1"),
        (LabelFlippingAttack, {"fraction": float("nan")}, "attack.fraction=nan must be at least 0 and less than 1"),
        (TrimAttack, {"stretch": 1.0}, "attack.stretch=1.0 must be a finite number greater than 1"),
        (TrimAttack, {"stretch": float("nan")}, "attack.stretch=nan must be a finite number greater than 1"),
        (TrimAttack, {"knowledge": "half"}, "attack.knowledge='half': choose one of full, partial"),
        (KrumAttack, {"epsilon": -0.1}, "attack.epsilon=-0.1 must be a finite number, 0 or more"),
        (KrumAttack, {"epsilon": float("inf")}, "attack.epsilon=inf"),
        (KrumAttack, {"knowledge": "none"}, "attack.knowledge='none': choose one of full, partial"),
        (ScalingAttack, {"poison_fraction": 0.0}, "attack.poison_fraction=0.0 must be above 0 and at most 1"),
        (ScalingAttack, {"poison_fraction": 1.1}, "attack.poison_fraction=1.1 must be above 0 and at most 1"),
        (ScalingAttack, {"scale": 0.0}, "attack.scale=0.0 must be a finite number greater than 0"),
        (ScalingAttack, {"scale": float("nan")}, "attack.scale=nan"),
        (AdaptiveAttack, {"sweeps": -1}, "attack.sweeps=-1 and attack.steps=10 must be 0 or more"),
        (AdaptiveAttack, {"steps": -2}, "attack.sweeps=10 and attack.steps=-2 must be 0 or more"),
        (AdaptiveAttack, {"noise_variance": 0.0}, "attack.noise_variance=0.0 must be a finite number greater than 0"),
        (AdaptiveAttack, {"probe": -1.0}, "attack.probe=-1.0 must be a finite number greater than 0"),
        (AdaptiveAttack, {"step_size": 0.0}, "attack.step_size=0.0 must be a finite number greater than 0"),
        (AdaptiveAttack, {"probe": float("nan")}, "attack.probe=nan"),
        (AdaptiveAttack, {"solver": "fast"}, "attack.solver='fast': choose one of zeroth_order, exact"),
    ],
    ids=str,
)
def test_arguments_out_of_range(attack, arguments, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        attack(**arguments)
