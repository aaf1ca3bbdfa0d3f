import torch
from tiny import Recorder, TinyData

from callbacks import FedAvg, LabelFlippingAttack


def test_flips_the_labels_of_malicious_clients_and_nothing_else(fit):
    data = TinyData()
    server = fit(FedAvg(), LabelFlippingAttack(fraction=0.4), data=data, rounds=1)
    federation = server.federation
    assert federation.num_malicious == 4
    assert torch.equal(federation.clients.features, data.clients.features)
    assert torch.equal(federation.clients.offsets, data.clients.offsets)
    for client, is_malicious in enumerate(federation.malicious.tolist()):
        given = data.clients.of(client).labels
        expected = [2 - label for label in given.tolist()] if is_malicious else given.tolist()
        assert federation.clients.of(client).labels.tolist() == expected


def test_the_data_module_keeps_its_labels(fit):
    data = TinyData()
    data.setup()
    before = data.clients.labels.clone()
    fit(FedAvg(), LabelFlippingAttack(fraction=0.9), data=data, rounds=1)
    assert torch.equal(data.clients.labels, before)


def test_updates_are_trained_on_the_flipped_labels(fit):
    """With everybody but one flipped, classes 0 and 2 change places."""
    server = fit(FedAvg(), LabelFlippingAttack(fraction=0.9), Recorder(), rounds=30)
    predicted = server.network(server.data.test.features).argmax(dim=1)
    assert ((2 - predicted) == server.data.test.labels).float().mean() > 0.8
