import pytest
import torch

from flt.data import CIFAR10, MNIST, FashionMNIST, FederatedDataModule, GroupPartition
from flt.data.readers.images import as_features
from flt.data.stand_ins.images import synthetic_images

SETS = [MNIST, FashionMNIST, CIFAR10]
SHAPES = {MNIST: (60_000, 1, 28, 28), FashionMNIST: (60_000, 1, 28, 28), CIFAR10: (50_000, 3, 32, 32)}


@pytest.mark.filterwarnings("ignore:SYNTHETIC DATA")
@pytest.mark.parametrize("make", SETS)
def test_stand_in_has_the_shape_of_the_real_data(make: type[FederatedDataModule]):
    data = make(stand_in="always", num_clients=20, partition=GroupPartition(1.0), root_size=200)
    data.setup()
    assert data.is_stand_in
    assert data.display_name.endswith(" (stand-in)")
    count, *shape = SHAPES[make]
    assert list(data.clients.features.shape) == [count - 200, *shape]
    assert list(data.test.features.shape) == [10_000, *shape]
    assert data.clients.features.dtype == torch.float32
    assert (data.clients.features.min(), data.clients.features.max()) == (0, 1)
    assert data.clients.labels.unique().tolist() == list(range(10))
    assert {len(data.clients.of(client).labels.unique()) for client in range(20)} == {1}
    marked = data.trigger(data.test.features[:5])
    assert (marked != data.test.features[:5]).any(dim=(1, 2, 3)).all()
    assert (data.target_class, data.num_classes) == (2 if make is CIFAR10 else 0, 10)


def small(name: str = "X", seed: int = 0, darkness: float = 0.0):
    return synthetic_images(
        name, num_train=3000, num_test=1000, num_classes=10, shape=(1, 28, 28), darkness=darkness, seed=seed
    )


def test_stand_ins_are_the_same_every_time_and_differ_from_each_other():
    assert torch.equal(small().train_images, small().train_images)
    assert not torch.equal(small().train_images, small("Y").train_images)
    assert not torch.equal(small().train_images, small(seed=1).train_images)


def test_darkness():
    assert 0.45 < as_features(small().train_images).mean() < 0.55
    assert 0.10 < as_features(small(darkness=1.6).train_images).mean() < 0.17


def test_a_linear_model_errs_on_a_few_per_cent():
    images = small("MNIST", darkness=1.6)
    train, test = as_features(images.train_images).flatten(1), as_features(images.test_images).flatten(1)
    mean = train.mean(0)
    gram = (train - mean).T @ (train - mean) + 30 * torch.eye(784)
    targets = torch.nn.functional.one_hot(images.train_labels, 10).float()
    weight = torch.linalg.solve(gram, (train - mean).T @ targets)
    wrong = ((test - mean) @ weight).argmax(1) != images.test_labels
    assert 0.01 < wrong.float().mean() < 0.1


def test_images_are_smooth():
    images = as_features(small().train_images)
    assert (images[..., 1:] - images[..., :-1]).abs().mean() < 0.1
