"""What clients keep from round to round for their steps: whose it is, and what moves it."""

import pytest
import torch
from tiny import Recorder

from callbacks import FLTrust, LabelFlipping, NoAttack, SignFlip
from flt.errors import InputError

BETA = 0.5
# With it the global model stays where it is, so that a run without momentum has the same gradients.
STILL = {"server_lr": 1e-30, "rounds": 5, "clients_per_round": 7, "root_batch_size": 6}
ATTACKS = {
    "as everyone": lambda: LabelFlipping(0.4),
    "by the gradient": lambda: LabelFlipping(0.4, momentum=False),
    "by the gradient, now and then": lambda: LabelFlipping(0.4, momentum=False, every=2),
    "by minus the gradient": lambda: SignFlip("ascent", fraction=0.4, momentum=False),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("damped", [False, True])
def test_momentum_is_each_clients_own_and_the_servers(fit, attack, damped):
    plain, own = Recorder(), Recorder()
    usual, make = ATTACKS[attack](), ATTACKS[attack]
    usual.momentum = True
    scaling = {"momentum_scaling": "damped"} if damped else {}
    fit(plain, usual, FLTrust(), **STILL)
    fit(own, make(), FLTrust(), client_momentum=BETA, **scaling, **STILL)
    kept, server, seen = {}, torch.zeros(()), 0
    factor = 1 - BETA if damped else 1
    for gradients, found in zip(plain.honest, own.honest, strict=True):
        server = BETA * server + factor * gradients.root_update
        torch.testing.assert_close(found.root_update, server)
        rows = zip(gradients.client_ids.tolist(), gradients.malicious, gradients.updates, found.updates, strict=True)
        for client, is_malicious, gradient, update in rows:
            seen += client in kept
            expected = BETA * kept.get(client, torch.zeros(())) + factor * gradient
            if is_malicious and "gradient" in attack:
                expected = gradient
            torch.testing.assert_close(update, expected)
            kept[client] = gradient.neg() if is_malicious and "minus" in attack else expected
    assert seen > 10


def test_without_memory_for_it(fit, monkeypatch):
    monkeypatch.setattr("flt.server.checks.memory._of_machine", lambda: 11 * 83 * 4)
    server = fit(NoAttack(), FLTrust(), client_momentum=BETA, rounds=1)
    assert server.kept == {"client_momentum of clients": 11 * 83 * 4}
    adam = {"client_optimizer": torch.optim.Adam, "client_optimizer_state": "kept", "client_lr": 0.003}
    with pytest.raises(InputError, match=r"model\.client_optimizer has 10 clients keep 7.48e-06 GB .* of 3.65e-06 GB"):
        fit(NoAttack(), FLTrust(), rounds=1, **adam)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"momentum_scaling": "damped"}, "momentum_scaling=damped has no effect without model.client_momentum"),
        ({"client_optimizer_state": "kept"}, "client_optimizer_state=kept has no effect without model.client_opt"),
        ({"client_optimizer": torch.optim.SGD}, "client_lr=0.02 has no effect with model.client_optimizer, whose own"),
        ({"client_optimizer": torch.optim.Adam, "client_lr": 0.003}, "Adam forgets after every step .*state=kept"),
        (
            {"attack": LabelFlipping(momentum=False)},
            "attack.momentum=false has no effect without model.client_momentum",
        ),
    ],
    ids=["scaling", "state", "rate", "fresh", "attack"],
)
def test_settings_without_effect(fit, settings, words):
    settings = dict(settings)
    with pytest.warns(UserWarning, match=words):
        fit(settings.pop("attack", NoAttack()), FLTrust(), rounds=1, **settings)
