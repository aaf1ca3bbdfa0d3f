import dataclasses

import pytest
import torch
from lightning.pytorch import Callback
from tiny import Recorder, Sending, TinyData, module, trainer

from callbacks import FedAvg, FLTrust, Median, NoAttack, ScalingAttack, TrimAttack
from flt.data import ClientData, FeatureTrigger
from flt.errors import InputError
from flt.federation import Aggregation, Attack, Backdoor, FederatedCallback, Federation, Round
from flt.federation.plugins import callbacks_of, only, through_hooks


def federation(num_clients=10, num_byzantine=2, clients_per_round=10):
    malicious = torch.arange(num_clients) < num_byzantine
    return Federation(
        clients=ClientData(torch.zeros(0, 1), torch.zeros(0), torch.zeros(num_clients + 1, dtype=torch.long)),
        num_examples=torch.ones(num_clients),
        malicious=malicious,
        num_byzantine=num_byzantine,
        clients_per_round=clients_per_round,
        num_classes=3,
        seed=4,
        backdoor=Backdoor(FeatureTrigger([0]), 1),
    )


def a_round(num_clients=4):
    return Round(
        number=7,
        client_ids=torch.arange(num_clients) * 2,
        malicious=torch.arange(num_clients) < 2,
        num_examples=torch.arange(num_clients) + 10,
        updates=torch.arange(num_clients * 3.0).view(num_clients, 3),
        root_update=None,
        losses=torch.arange(num_clients) / 8,
        statistics=torch.zeros(num_clients, 0),
        root_statistics=None,
        parameters=torch.zeros(3),
        federation=federation(),
    )


class Seeding(Callback):
    """Appends its own digit to the seed, or does nothing."""

    def __init__(self, digit):
        self.digit = digit

    def on_federation(self, federation):
        return None if self.digit is None else federation.replace(seed=10 * federation.seed + self.digit)


def test_a_federation_goes_through_hooks_in_order():
    first = federation().replace(seed=9)
    callbacks = [Seeding(1), Callback(), Seeding(None), Seeding(2), Seeding(3)]
    assert through_hooks(callbacks, first).seed == 9123
    assert through_hooks([], first) is through_hooks([Seeding(None)], first) is first


def test_only():
    rule, attack = FedAvg(), NoAttack()
    run = trainer(".", rule, attack)
    assert callbacks_of(run)[:2] == [rule, attack]
    assert only(run, Aggregation) is rule
    assert only(run, Attack) is attack
    assert only(run, FLTrust) is None


def test_federation():
    whole = federation(num_clients=10, num_byzantine=3)
    assert (whole.num_clients, whole.num_malicious, whole.byzantine_per_round) == (10, 3, 3)
    assert federation(10, 3, clients_per_round=5).byzantine_per_round == 2  # 1.5, to even
    assert federation(10, 3, clients_per_round=4).byzantine_per_round == 1  # 1.2
    assert federation(10, 3, clients_per_round=1).byzantine_per_round == 0
    changed = whole.replace(num_classes=5)
    assert (changed.num_classes, whole.num_classes) == (5, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        whole.num_classes = 5


@pytest.mark.parametrize("copy", [True, False])
def test_round_keep(copy):
    before = a_round()
    kept = before.keep(torch.tensor([True, False, True, False]), copy=copy)
    assert kept.client_ids.tolist() == [0, 4]
    assert kept.malicious.tolist() == [True, False]
    assert kept.num_examples.tolist() == [10, 12]
    assert kept.updates.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert kept.losses.tolist() == [0, 0.25]
    assert kept.num_dropped == 2
    assert kept.keep(torch.tensor([False, True]), copy=copy).num_dropped == 3
    assert len(before.client_ids) == 4
    assert before.num_dropped == 0


def test_round_replace_and_generator():
    before = a_round()
    assert before.replace(number=8).number == 8
    assert before.number == 7

    def drawn(round, stream):
        return torch.rand(3, generator=round.generator(stream)).tolist()

    assert drawn(before, "noise") == drawn(before, "noise")
    assert drawn(before, "noise") != drawn(before, "other noise")
    assert drawn(before, "noise") != drawn(before.replace(number=8), "noise")
    with pytest.raises(AssertionError, match="needs_root_update = True"):
        before.require_root_update()
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.number = 8


class Clipping(FederatedCallback):
    """What a user may write: bounds every entry before the rule sees it."""

    def on_updates_received(self, round):
        return round.replace(updates=round.updates.clamp(-1e-3, 1e-3))


@pytest.mark.parametrize("first", [True, False])
def test_what_the_server_does_comes_after_the_attack_wherever_it_stands(fit, first):
    attack, clipping, recorder = ScalingAttack(scale=1000.0), Clipping(), Recorder()
    fit(FedAvg(), *([clipping, attack] if first else [attack, clipping]), recorder, rounds=2)
    for (round, aggregate), honest in zip(recorder.ended, recorder.honest, strict=True):
        assert honest.updates.abs().max() > 1e-3
        assert round.updates.abs().max() <= 1.001e-3
        assert aggregate.update.abs().max() <= 1.001e-3


def test_hooks_are_called_in_the_order_of_the_callbacks(fit):
    class Adding(FederatedCallback):
        def __init__(self, amount):
            self.amount = amount

        def on_client_updates(self, round):
            return round.replace(updates=round.updates + self.amount)

    class Doubling(FederatedCallback):
        def on_client_updates(self, round):
            return round.replace(updates=2 * round.updates)

    before, after = Recorder(), Recorder()
    fit(before, Adding(1.0), Doubling(), Adding(3.0), FedAvg(), after, rounds=1)
    torch.testing.assert_close(after.honest[0].updates, 2 * (before.honest[0].updates + 1) + 3, rtol=0, atol=0)
    assert after.received[0].updates is after.honest[0].updates


def test_on_federation_may_change_what_clients_hold(fit):
    class Silencing(FederatedCallback):
        def on_federation(self, federation):
            clients = federation.clients
            return federation.replace(clients=dataclasses.replace(clients, features=0 * clients.features))

    recorder = Recorder()
    server = fit(FedAvg(), Silencing(), recorder, rounds=1)
    assert not server.federation.clients.features.any()
    assert server.data.clients.features.any()
    assert not recorder.honest[0].updates[:, :60].any()  # no features, no gradient for the first layer's weights


def test_on_round_end_comes_after_the_step_with_what_the_rule_saw(fit):
    recorder = Recorder()
    with pytest.warns(UserWarning, match="updates with a NaN or an infinity were dropped"):
        server = fit(FedAvg(), Sending(float("nan"), clients=(4,)), recorder, rounds=2)
    round, aggregate = recorder.ended[-1]
    assert round.client_ids.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert round.num_dropped == 1
    torch.testing.assert_close(recorder.parameters[1], recorder.parameters[0] + aggregate.update)
    assert torch.equal(recorder.parameters[1], torch.cat([p.detach().flatten() for p in server.network.parameters()]))
    assert torch.equal(round.parameters, recorder.parameters[0])
    for piece in round.federation.layout:
        own = server.network.get_parameter(piece.name).detach()
        assert torch.equal(recorder.parameters[1][piece.place].view(piece.shape), own)
    assert [piece.name for piece in round.federation.layout] == ["0.weight", "0.bias", "2.weight", "2.bias"]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([], r"there is no aggregation rule: add one, such as callbacks\.FLTrust\(\), to trainer\.callbacks"),
        ([FedAvg, Median], r"trainer\.callbacks holds several of kind Aggregation \(FedAvg, Median\): keep one"),
        ([FedAvg, NoAttack, TrimAttack], r"several of kind Attack \(NoAttack, TrimAttack\)"),
    ],
    ids=["no rule", "two rules", "two attacks"],
)
def test_one_rule_and_at_most_one_attack(tmp_path, callbacks, message):
    with pytest.raises(InputError, match=message):
        trainer(tmp_path, *(make() for make in callbacks)).fit(module(), datamodule=TinyData())
