import pytest
import torch

from flt.clients.layerwise import supports
from flt.errors import InputError
from flt.models import CNN, LogisticRegression, ResNet20


def num_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_cnn():
    network = CNN()
    assert num_parameters(network) == 139_960
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_a_cnn_for_other_images():
    assert CNN(in_channels=3, image_size=32, num_classes=5)(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(("channels", "size", "classes", "normalization"), [(3, 32, 10, "batch"), (1, 64, 8, "group")])
def test_resnet20(channels, size, classes, normalization):
    network = ResNet20(channels, classes, normalization)
    assert network(torch.zeros(2, channels, size, size)).shape == (2, classes)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert sum(module.kernel_size == (3, 3) for module in convolutions) + 1 == 20  # and one fully connected layer


def test_group_normalisation_has_no_statistics():
    assert not list(ResNet20(normalization="group").buffers())


def test_an_unknown_normalisation():
    with pytest.raises(InputError, match="normalization='layer': choose one of batch, group"):
        ResNet20(normalization="layer")


def test_convolutions_are_not_trained_by_layers():
    assert not supports(CNN())
    assert supports(LogisticRegression())
