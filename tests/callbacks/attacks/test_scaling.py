import pytest
import torch
from tiny import Recorder, TinyData

from callbacks import FedAvg, ScalingAttack
from flt.data import FeatureTrigger
from flt.federation import Backdoor


def rows(examples):
    return sorted(tuple(row) for row in examples.features.tolist())


@pytest.mark.parametrize("poison_fraction", [1.0, 0.5])
def test_copies_are_added_and_originals_stay(fit, poison_fraction):
    data = TinyData()
    federation = fit(FedAvg(), ScalingAttack(0.4, poison_fraction), data=data, rounds=1).federation
    for client, is_malicious in enumerate(federation.malicious.tolist()):
        given, held = data.clients.of(client), federation.clients.of(client)
        size = len(given)
        assert torch.equal(held.features[:size], given.features)
        assert torch.equal(held.labels[:size], given.labels)
        copies = held[size:]
        assert len(copies) == (round(poison_fraction * size) if is_malicious else 0)
        assert (copies.labels == 1).all()
        assert (copies.features[:, [0, 5]] == 3.0).all()
        # All else is as in some of the originals, each copied once.
        others = [i for i in range(12) if i not in (0, 5)]
        copied, originals = ({tuple(row) for row in part.features[:, others].tolist()} for part in (copies, given))
        assert len(copied) == len(copies)
        assert copied <= originals


def test_the_sizes_that_fedavg_weighs_by_stay_the_originals(fit):
    data, recorder = TinyData(), Recorder()
    federation = fit(FedAvg(), ScalingAttack(0.4), recorder, data=data, rounds=1).federation
    assert torch.equal(federation.num_examples, data.clients.sizes)
    assert not torch.equal(federation.clients.sizes, data.clients.sizes)
    round, aggregate = recorder.ended[0]
    weights = data.clients.sizes / data.clients.sizes.sum()
    torch.testing.assert_close(aggregate.update, weights @ round.updates)


def test_trigger_and_target_of_ones_own():
    default = Backdoor(FeatureTrigger([0]), 1)
    own = FeatureTrigger([3])
    assert ScalingAttack().backdoor(default) == default
    assert ScalingAttack(trigger=own).backdoor(default) == Backdoor(own, 1)
    assert ScalingAttack(target_class=0).backdoor(default) == Backdoor(default.trigger, 0)


def test_the_trigger_trained_on_is_the_trigger_tested_with(fit):
    trigger = FeatureTrigger([3, 4], value=-9.0)
    server = fit(FedAvg(), ScalingAttack(0.4, trigger=trigger, target_class=0), rounds=1)
    assert server.backdoor == Backdoor(trigger, 0)
    client = int(server.federation.malicious.nonzero()[0])
    held = server.federation.clients.of(client)
    copies = held[len(server.data.clients.of(client)) :]
    assert (copies.features[:, [3, 4]] == -9.0).all()
    assert (copies.labels == 0).all()


def test_a_malicious_client_without_an_example(fit):
    server = fit(FedAvg(), ScalingAttack(0.75), data=TinyData(sizes=(30, 0, 20, 0)), rounds=1)
    assert server.federation.clients.sizes[[1, 3]].tolist() == [0, 0]


def test_the_backdoor_works_on_fedavg(fit):
    attacked = fit(FedAvg(), ScalingAttack(), rounds=20).trainer.callback_metrics
    assert float(attacked["attack_success_rate"]) > 0.9
