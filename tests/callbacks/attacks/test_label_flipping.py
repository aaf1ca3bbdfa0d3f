from tiny import Recorder

from callbacks import FedAvg, LabelFlippingAttack


def test_updates_are_trained_on_the_flipped_labels(fit):
    """With everybody but one flipped, classes 0 and 2 change places."""
    server = fit(FedAvg(), LabelFlippingAttack(fraction=0.9), Recorder(), rounds=30)
    predicted = server.network(server.data.test.features).argmax(dim=1)
    assert ((2 - predicted) == server.data.test.labels).float().mean() > 0.8
