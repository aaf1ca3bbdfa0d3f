"""That the attack that runs is the attack named, and what every attack must satisfy in a run."""

import pytest
import torch
from tiny import Recorder, parameters_of

from callbacks import AdaptiveAttack, FedAvg, KrumAttack, LabelFlippingAttack, NoAttack, ScalingAttack, TrimAttack
from flt import functional as F
from flt.errors import InputError

# What an attack is to send, from the honest round and a generator of its stream.
EXPECTED = {
    "krum": (KrumAttack(), "krum attack", lambda r, g: F.krum_attack(r.updates, r.malicious, generator=g)),
    "krum-settings": (
        KrumAttack(0.3, "partial", 0.5),
        "krum attack",
        lambda r, g: F.krum_attack(r.updates, r.malicious, knowledge="partial", epsilon=0.5, generator=g),
    ),
    "trim": (TrimAttack(), "trim attack", lambda r, g: F.trim_attack(r.updates, r.malicious, generator=g)),
    "trim-settings": (
        TrimAttack(0.4, stretch=5.0),
        "trim attack",
        lambda r, g: F.trim_attack(r.updates, r.malicious, stretch=5.0, generator=g),
    ),
    "trim-partial": (
        TrimAttack(0.4, "partial"),
        "trim attack",
        lambda r, g: F.trim_attack(r.updates, r.malicious, knowledge="partial", generator=g),
    ),
    "adaptive": (
        AdaptiveAttack(),
        "adaptive attack",
        lambda r, g: F.adaptive_attack(r.updates, r.malicious, r.root_update, generator=g),
    ),
    "adaptive-settings": (
        AdaptiveAttack(0.3, sweeps=2, steps=3, noise_variance=0.1, probe=0.02, step_size=0.3),
        "adaptive attack",
        lambda r, g: F.adaptive_attack(
            r.updates,
            r.malicious,
            r.root_update,
            sweeps=2,
            steps=3,
            noise_variance=0.1,
            probe=0.02,
            step_size=0.3,
            generator=g,
        ),
    ),
    "adaptive-exact": (
        AdaptiveAttack(0.5, solver="exact"),
        "adaptive attack",
        lambda r, g: F.adaptive_attack(r.updates, r.malicious, r.root_update, solver="exact"),
    ),
    "scaling": (
        ScalingAttack(),
        "unused",
        lambda r, g: torch.where(r.malicious[:, None], 10 * r.updates, r.updates),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_sends_what_its_function_says(fit, name):
    attack, stream, expected = EXPECTED[name]
    recorder = Recorder()
    fit(recorder, attack, FedAvg(), rounds=2)
    for honest, received in zip(recorder.honest, recorder.received, strict=True):
        assert honest.malicious.any()
        torch.testing.assert_close(received.updates, expected(honest, honest.generator(stream)), rtol=0, atol=0)
        changed = (received.updates != honest.updates).any(dim=1)
        assert torch.equal(changed, honest.malicious)


def test_changes_malicious_clients_only(fit, make_attack):
    """Neither the others' data nor their updates."""
    clean, attacked = Recorder(), Recorder()
    fit(FedAvg(), clean, rounds=1)
    server = fit(FedAvg(), make_attack(), attacked, rounds=1)
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
def test_nobody_malicious(fit, make_attack):
    attack = make_attack()
    attack.fraction = 0.0
    honest = parameters_of(fit(FedAvg(), rounds=2))
    assert torch.equal(parameters_of(fit(FedAvg(), attack, rounds=2)), honest)


def test_rounds_without_a_malicious_client(fit, make_attack):
    recorder = Recorder()
    fit(FedAvg(), make_attack(), recorder, rounds=8, clients_per_round=3)
    counts = {int(round.malicious.sum()) for round in recorder.received}
    assert 0 in counts
    assert recorder.parameters[-1].isfinite().all()


def test_one_client_a_round(fit, make_attack):
    recorder = Recorder()
    fit(FedAvg(), make_attack(), recorder, rounds=8, clients_per_round=1)
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
