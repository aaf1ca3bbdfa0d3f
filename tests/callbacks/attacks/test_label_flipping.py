import hostile
import pytest
import torch
from tiny import Recorder, TinyData

import callbacks
from callbacks import FedAvg, LabelFlipping
from flt.data import ClientData
from flt.errors import InputError


def poisoned(attack, *, malicious=(False, True, True)):
    """What clients with the labels 0 to 9, twice each, train on."""
    labels = torch.arange(10).repeat(2 * len(malicious))
    clients = ClientData(torch.zeros(len(labels), 1), labels, torch.arange(len(malicious) + 1) * 20)
    federation = hostile.federation_of(num_examples=clients.sizes, malicious=torch.tensor(malicious))
    held = attack.on_federation(federation.replace(clients=clients, num_classes=10)).clients
    return [held.of(client).labels for client in range(len(malicious))]


def test_updates_are_trained_on_the_flipped_labels(fit):
    """With everybody but one flipped, classes 0 and 2 change places."""
    server = fit(FedAvg(), LabelFlipping(fraction=0.9), Recorder(), rounds=30)
    predicted = server.network(server.data.test.features).argmax(dim=1)
    assert ((2 - predicted) == server.data.test.labels).float().mean() > 0.8


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"variant": "targeted", "mapping": {3: 7, 4: 8}}, [0, 1, 2, 7, 8, 5, 6, 7, 8, 9]),
        ({"variant": "targeted", "source": [3, 4], "target": 9}, [0, 1, 2, 9, 9, 5, 6, 7, 8, 9]),
        ({"variant": "targeted", "source": 3}, [0, 1, 2, 1, 4, 5, 6, 7, 8, 9]),  # the data set's target class
        ({"variant": "pairwise", "source": 0, "target": 5}, [5, 1, 2, 3, 4, 0, 6, 7, 8, 9]),
        ({"variant": "pairwise"}, [1, 0, 3, 2, 5, 4, 7, 6, 9, 8]),
        ({"variant": "cyclic"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]),
        ({"variant": "all_to_one"}, [1] * 10),
        ({"variant": "all_to_one", "target": 4}, [4] * 10),
    ],
    ids=str,
)
def test_variants(settings, expected):
    benign, *others = poisoned(LabelFlipping(**settings))
    assert benign.tolist() == list(range(10)) * 2
    for labels in others:
        assert labels.tolist() == expected * 2


def test_random_labels_differ_among_examples_and_are_drawn_once():
    first, again = (poisoned(LabelFlipping(variant="random")) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert (first[1] != torch.arange(10).repeat(2)).all()
    assert not torch.equal(first[1], first[2])


@pytest.mark.parametrize("settings", [{}, {"variant": "random"}, {"variant": "targeted", "source": 3, "target": 5}])
def test_a_fraction_of_the_examples_in_question(settings):
    right = torch.arange(10).repeat(2)
    for labels in poisoned(LabelFlipping(flip_fraction=0.5, **settings))[1:]:
        wrong = labels != right
        assert wrong.sum() == (1 if "source" in settings else 10)
        assert settings.get("source") in (None, *right[wrong].tolist())


def test_a_client_without_the_classes_in_question_stays_honest(fit):
    recorder, data = Recorder(), TinyData(sizes=(30, 1, 20, 1))
    fit(recorder, FedAvg(), LabelFlipping(0.75, "targeted", source=2, target=0), data=data, rounds=1)
    honest = Recorder()
    fit(honest, FedAvg(), callbacks.NoAttack(), data=TinyData(sizes=(30, 1, 20, 1)), rounds=1)
    same = (recorder.received[0].updates == honest.received[0].updates).all(dim=1)
    without = torch.tensor([not (data.clients.of(client).labels == 2).any() for client in range(4)])
    assert torch.equal(same, without | ~recorder.received[0].malicious)
    assert (without & recorder.received[0].malicious).any()


@pytest.mark.parametrize("flip_fraction", [1.0, 0.4])
def test_dynamic_labels_are_those_the_global_model_finds_least_likely(fit, flip_fraction):
    """In each round, worked out by hand from the batches that everyone draws."""
    expected, share = [], []

    class Watched(LabelFlipping):
        def train(self, local):
            assert torch.equal(local.batches.labels, local.honest.labels)
            scores = local.logits(torch.zeros_like(local.parameters), local.batches.features.flatten(0, 2))
            least = scores.argmin(dim=1).view_as(local.batches.labels)
            sources = [local.generator("label flipping", client) for client in local.client_ids.tolist()]
            draws = torch.stack([torch.rand(least.shape[1:], generator=source) for source in sources])
            labels = torch.where(draws < flip_fraction, least, local.batches.labels)
            share.append(float((labels == least).float().mean()))
            expected.append(local.sgd(local.batches._replace(labels=labels)).updates)
            trained = super().train(local)
            assert not torch.equal(trained.updates, local.trained.updates)
            return trained

    recorder = Recorder()
    fit(recorder, FedAvg(), Watched(0.4, "dynamic", flip_fraction), rounds=3)
    for received, updates in zip(recorder.received, expected, strict=True):
        torch.testing.assert_close(received.updates[received.malicious], updates)
    assert (min(share) == 1) == (flip_fraction == 1)


def test_variants_but_the_dynamic_one_train_as_usual():
    assert [LabelFlipping(variant=each).overrides("train") for each in ("static", "dynamic")] == [False, True]
    assert LabelFlipping().overrides("poison")


def test_its_earlier_name():
    assert callbacks.LabelFlippingAttack is LabelFlipping


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "mirror"}, "attack.variant='mirror': choose one of static, targeted"),
        ({"flip_fraction": 0.0}, "attack.flip_fraction=0.0 must be above 0 and at most 1"),
        ({"variant": "targeted"}, "attack.variant=targeted: give attack.source, such as 3, or attack.mapping"),
        ({"variant": "targeted", "mapping": {}}, "attack.variant=targeted: give attack.source"),
        ({"variant": "targeted", "mapping": {1: 2}, "source": 3}, "attack.mapping={1: 2} says it all: leave out"),
        ({"variant": "targeted", "mapping": {3: 10}}, "attack.mapping: there is no class 10, the classes are 0 to 9"),
        ({"variant": "targeted", "mapping": {-1: 2}}, "attack.mapping: there is no class -1"),
        ({"variant": "targeted", "source": 11}, "attack.source: there is no class 11"),
        ({"variant": "targeted", "source": 3, "target": 12}, "attack.target: there is no class 12"),
        ({"variant": "all_to_one", "target": 12}, "attack.target: there is no class 12"),
        ({"variant": "targeted", "source": [2, 1]}, "attack.source=[2, 1] has the target class 1: name classes other"),
        ({"variant": "pairwise", "source": [2, 3]}, "attack.mapping={2: 1, 3: 1}: with pairwise no class can be in"),
        ({"variant": "pairwise", "mapping": {0: 1, 1: 2}}, "attack.mapping={0: 1, 1: 2}: with pairwise no class can"),
    ],
    ids=str,
)
def test_mistakes(settings, message):
    with pytest.raises(InputError) as caught:
        poisoned(LabelFlipping(**settings))
    assert str(caught.value).startswith(message)


def test_a_single_class():
    federation = hostile.federation_of(num_examples=torch.ones(2), malicious=torch.tensor([True, False]))
    with pytest.raises(InputError, match="LabelFlipping needs 2 classes or more: there is no wrong label with 1"):
        LabelFlipping().check(federation.replace(num_classes=1))


@pytest.mark.parametrize("settings", [{"source": 3}, {"variant": "cyclic", "target": 1}, {"mapping": {1: 2}}])
def test_settings_without_effect(settings):
    with pytest.warns(UserWarning, match=r"attack\.\w+=.* has no effect with variant="):
        LabelFlipping(**settings)
