"""Backdoors whose malicious clients train in their own way."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import Recorder, TinyData, mlp
from torch import nn
from torch.nn.functional import cosine_similarity

from callbacks import A3FL, Chameleon, CriticalLayers, FedAvg
from callbacks.attacks.backdoors.own_training import backdoor_losses
from callbacks.attacks.backdoors.triggered import triggered
from flt.clients.batches import LocalBatches
from flt.clients.encoder import Encoder
from flt.data import BlendedTrigger, FeatureTrigger, OutsideTrigger, SemanticTrigger, TailTrigger
from flt.errors import InputError
from flt.federation import Backdoor, LocalUpdates
from flt.functional import layers_of
from flt.functional.attacks.backdoors import trigger_loss
from flt.server.local_work import WorkOfClients


def test_critical_layers_alone_differ_from_the_benign_mean(fit):
    """A malicious client sends the mean of what all of them train without the backdoor, but for some layers."""
    honest, attacked = Recorder(), Recorder()
    fit(honest, FedAvg(), rounds=1, network=mlp())
    server = fit(attacked, CriticalLayers(fraction=0.4, share=0.01), FedAvg(), rounds=1, network=mlp())
    malicious = server.federation.malicious
    mean = honest.honest[0].updates[malicious].mean(dim=0)
    layers = layers_of(server.federation.layout)
    for row in attacked.received[0].updates[malicious]:
        same = [torch.allclose(row[place], mean[place], rtol=1e-4, atol=1e-6) for place in layers]
        assert sorted(same) == [False, True]


def test_chameleon_decays_its_rate_and_then_moves_the_last_layer_alone(fit, monkeypatch):
    seen, sgd = [], WorkOfClients.sgd

    def noted(local, batches, **given):
        found = sgd(local, batches, **given)
        seen.append((given["lr"], found.updates))
        return found

    monkeypatch.setattr(WorkOfClients, "sgd", noted)
    attack = Chameleon(fraction=0.4, encoder_epochs=6, head_epochs=1)
    server = fit(Recorder(), attack, FedAvg(), rounds=1, network=mlp())
    assert [lr for lr, _ in seen] == pytest.approx([5e-3, 5e-4, 5e-5, 1e-3])
    last, encoded, head = layers_of(server.federation.layout)[-1], seen[-2][1], seen[-1][1]
    assert torch.equal(head[:, : last.start], encoded[:, : last.start])
    assert not encoded[:, last].any()
    assert head[:, last].any()


class Noting(CriticalLayers):
    """Notes the examples on which success is measured."""

    def _success(self, local, client, examples, statistics):
        self.noted = [*getattr(self, "noted", []), examples]
        return super()._success(local, client, examples, statistics)


def test_critical_layers_are_found_by_examples_of_other_classes(fit):
    attack = Noting(fraction=0.4)
    server = fit(Recorder(), attack, FedAvg(), rounds=1, network=mlp())
    held = server.federation.honest
    target = {*map(tuple, held.features[held.labels == server.federation.backdoor.target_class].tolist())}
    assert target
    assert not any(target & {*map(tuple, noted.tolist())} for noted in attack.noted)


@pytest.mark.parametrize(
    "trigger",
    [
        lambda path: SemanticTrigger(source_class=0),
        lambda path: SemanticTrigger(indices=[0, 1, 4, 8, 11], test_indices=[0, 1, 2]),
        lambda path: TailTrigger(0, tail=0.5),
        lambda path: OutsideTrigger(str(path)),
    ],
    ids=["class", "examples", "tail", "file"],
)
def test_critical_layers_of_a_trigger_that_is_no_pattern_are_found_by_what_it_relabels(fit, tmp_path, trigger):
    outside = np.ones((3, 12), np.float32)
    np.savez(tmp_path / "outside.npz", x_train=outside, x_test=outside, y_test=np.zeros(3, int))
    attack = Noting(fraction=0.4, trigger=trigger(tmp_path / "outside.npz"))
    server = fit(Recorder(), attack, FedAvg(), rounds=1, network=mlp())
    before, after = server.federation.honest, server.federation.clients
    taught, right = ({*map(tuple, held.features[held.labels == 1].tolist())} for held in (after, before))
    for noted in attack.noted:
        assert len(noted)
        assert {*map(tuple, noted.tolist())} <= taught - right


def test_a_learnt_trigger_is_what_is_measured_and_trained(fit):
    attack = A3FL(fraction=0.4, trigger=FeatureTrigger([0, 2], 0.0), iterations=5, step=0.1, renew_every=2)
    server = fit(Recorder(), attack, FedAvg(), rounds=3)
    learnt = server.backdoor.trigger
    assert learnt.mask.nonzero().flatten().tolist() == [0, 2]
    assert (learnt.values[learnt.mask].abs() > 0.05).all()
    features = server.federation.clients.features
    assert features.min() <= learnt.values[learnt.mask].min() <= learnt.values[learnt.mask].max() <= features.max()


def test_a_stronger_step_finds_a_trigger_that_succeeds_more_often(fit):
    rates = []
    for step in (1e-6, 0.3):
        attack = A3FL(fraction=0.4, trigger=FeatureTrigger([0, 2], 0.0), iterations=20, step=step, strength=0.0)
        server = fit(attack, FedAvg(), rounds=5, data=TinyData())
        test = server.data.test
        marked = server.backdoor.trigger(test.features[test.labels != 1])
        rates.append((server(marked).argmax(dim=1) == 1).float().mean())
    assert rates[1] > rates[0]


def test_the_adversarial_model_counts_by_its_strength_times_how_far_both_agree(fit, monkeypatch):
    counted = []

    def noted(scores, target_class, weight):
        counted.append(weight)
        return trigger_loss(scores, target_class, weight)

    monkeypatch.setattr("callbacks.attacks.backdoors.a3fl.trigger_loss", noted)
    monkeypatch.setattr("callbacks.attacks.backdoors.a3fl.agreement_of_layers", lambda *_: 0.25)
    attack = A3FL(fraction=0.4, trigger=FeatureTrigger([0, 2], 0.0), iterations=2, strength=0.4)
    fit(attack, FedAvg(), rounds=1)
    assert counted == [1.0, 0.1, 0.1]  # both count the same where they are compared


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (0.3, 1), (0.5, 2), (1.0, 3)])
def test_a_part_of_a_batch_is_rounded_up(fraction, expected):
    """Of a batch of three examples and one of padding."""
    batches = LocalBatches(torch.zeros(1, 1, 4, 2), torch.zeros(1, 1, 4).long(), None, torch.tensor([[3]]))
    made = triggered(batches, Backdoor(FeatureTrigger([1], 3.0), 2), fraction)
    assert made.labels[0, 0].tolist() == [2] * expected + [0] * (4 - expected)
    assert made.features[0, 0, :, 1].tolist() == [3.0] * expected + [0.0] * (4 - expected)


def test_padding_is_no_example_of_the_target_class():
    features = torch.tensor([[[[0.0], [5.0]]]])  # the second one is padding, and has the label 0 as all padding
    batches = LocalBatches(features, torch.zeros(1, 1, 2).long(), torch.tensor([[[1.0, 0.0]]]), torch.tensor([[1]]))
    trained = LocalUpdates(torch.zeros(1, 1), torch.zeros(1), torch.zeros(1, 0))
    local = SimpleNamespace(
        batches=batches, logits=lambda updates, given, statistics: torch.cat([0 * given, given], -1)
    )
    torch.testing.assert_close(backdoor_losses(local, trained, 0), torch.tensor([math.log(2.0)]))


def test_a_trigger_that_overwrites_nothing_is_refused(fit):
    with pytest.raises(InputError, match="overwrites nothing"):
        fit(A3FL(fraction=0.4, trigger=BlendedTrigger()), FedAvg())


def test_chameleon_brings_triggered_examples_near_the_target_class(fit):
    """Before the last layer; how near is the mean cosine of triggered examples with the others of that class."""
    nearness = {}
    for name, lr in (("weak", 1e-6), ("strong", 0.1)):
        attack = Chameleon(fraction=0.4, encoder_epochs=4, encoder_lr=lr, head_lr=0.1)
        server = fit(attack, Recorder(), FedAvg(), rounds=3, network=mlp())
        encoder = Encoder(server.network, "2")
        test, backdoor = server.data.test, server.backdoor
        target = encoder(test.features[test.labels == backdoor.target_class])
        marked = encoder(backdoor.trigger(test.features[test.labels != backdoor.target_class]))
        nearness[name] = cosine_similarity(marked[:, None], target[None], dim=2).mean()
    assert nearness["strong"] > nearness["weak"] + 0.1


def test_chameleon_needs_layers_before_the_last(fit):
    with pytest.raises(InputError, match="one layer alone"):
        fit(Chameleon(fraction=0.4), FedAvg(), network=nn.Sequential(nn.Linear(12, 3)))
