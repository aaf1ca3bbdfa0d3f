"""Augmentation and normalisation in a run, and the server's own root dataset."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from tiny import IMAGE_SHAPE, NUM_CLASSES, TinyData, TinyImages, fit, module, trainer
from torch import nn

from callbacks import FedAvg, FLTrust, LabelFlipping, ScalingAttack
from flt.clients.batches import whole
from flt.data import Examples
from flt.data.inputs import InputPipeline, Normalization
from flt.errors import InputError
from flt.server.draws import as_seen

NOTED = defaultdict(list)  # by the network's id: what a network notes in itself, an evaluation takes back


class Seeing(nn.Module):
    """A linear model that notes what it is shown; copies of it have notes of their own."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(48, NUM_CLASSES)
        NOTED.pop(id(self), None)

    @property
    def seen(self):
        return NOTED[id(self)]

    def forward(self, features):
        self.seen.append(features.detach().clone())
        return self.linear(features.flatten(1))


class Flat(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(48, NUM_CLASSES))


def test_training_and_evaluation_are_normalised_alike(tmp_path):
    """A run on data that are normalised from the start is the same run."""

    class Normalised(TinyImages):
        def load(self, seed):
            raw = super().load(seed)
            norm = Normalization.over(raw.train.features)
            train, test = (Examples(norm(part.features), part.labels) for part in (raw.train, raw.test))
            return type(raw)(train, raw.owners, test, False, raw.num_clients)

    runs = [
        fit(tmp_path, FLTrust(), LabelFlipping(), data=data, network=Flat(), root_batch_size=9)
        for data in (TinyImages(InputPipeline(normalize=True)), Normalised(), TinyImages())
    ]
    weights = [run.network[1].weight for run in runs]
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(weights[0], weights[2], rtol=1e-2)
    rates = [float(run.trainer.callback_metrics["testing_error_rate"]) for run in runs]
    assert rates[0] == pytest.approx(rates[1], abs=1e-6)


def test_the_trigger_comes_before_normalisation(tmp_path):
    network = Seeing()
    run, data = trainer(tmp_path, ScalingAttack()), TinyImages(InputPipeline(crop_padding=1, flip=True, normalize=True))
    run.validate(module(network), datamodule=data, verbose=False)
    others = data.test.labels != data.target_class
    expected = data.normalization(data.trigger(data.test.features[others]))
    torch.testing.assert_close(torch.cat(network.seen[1::2]), expected)  # plain and marked by turns
    white = (1 - data.normalization.mean) / data.normalization.scale
    assert torch.allclose(network.seen[1][:, :, 3, 2], white)


def test_evaluation_is_not_augmented(tmp_path):
    network = Seeing()
    run, data = trainer(tmp_path, FedAvg()), TinyImages(InputPipeline(crop_padding=1, flip=True))
    run.validate(module(network), datamodule=data, verbose=False)
    assert torch.equal(torch.cat(network.seen), data.test.features)


def test_augmentation_repeats_with_the_seed_and_differs_by_round(tmp_path):
    pipeline = InputPipeline(crop_padding=2, flip=True)
    first, second, plain = (
        fit(tmp_path, FLTrust(), data=TinyImages(inputs), network=Flat(), client_lr=0.05)
        for inputs in (pipeline, pipeline, InputPipeline())
    )
    assert torch.equal(first.network[1].weight, second.network[1].weight)
    assert not torch.equal(first.network[1].weight, plain.network[1].weight)
    images = whole(first.data.root.features, first.data.root.labels, local_steps=2)
    streams = [("augmentation", 0), ("augmentation", 0), ("augmentation", 1), ("root augmentation", 0)]
    draw = first._reception.cohort.draws.augmentation
    seen = [as_seen(first.data, images, draw(*stream, images.labels.shape)).features for stream in streams]
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[3])


def test_vectors_are_not_augmented(tmp_path):
    data = TinyData()
    data.inputs = InputPipeline(flip=True)
    with pytest.raises(InputError, match="change images"):
        fit(tmp_path, FedAvg(), data=data)


@pytest.fixture
def own_root(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x=np.full((12, *IMAGE_SHAPE), 0.25, np.float32), y=np.arange(12) % NUM_CLASSES)
    return path


@pytest.mark.parametrize("root_size", [5, 12])
def test_the_servers_own_data_leave_the_clients_all_of_theirs(own_root, root_size):
    data = TinyImages(root_path=own_root, root_size=root_size)
    data.setup()
    assert len(data.clients.labels) == sum(data.sizes)
    assert data.root.features.shape == (root_size, *IMAGE_SHAPE)
    assert bool((data.root.features == 0.25).all())


def test_no_more_than_the_server_has(own_root):
    with pytest.raises(InputError, match="root_size=13 exceeds the 12 examples that it is drawn from"):
        TinyImages(root_path=own_root, root_size=13).setup()


def test_the_root_update_is_of_the_servers_own_data(tmp_path, own_root):
    from tiny import Recorder

    recorder = Recorder()
    data = TinyImages(root_path=own_root, root_size=12)
    fit(tmp_path, FLTrust(), recorder, data=data, network=Flat(), rounds=1)
    root_update = recorder.received[0].root_update[: 48 * NUM_CLASSES].view(NUM_CLASSES, 48)
    assert torch.allclose(
        root_update, root_update[:, :1].expand(-1, 48), atol=1e-6
    )  # all pixels alike, so the gradient
    assert root_update.any()
