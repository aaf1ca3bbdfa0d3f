import pytest
import torch
import torch.nn.functional as F

from flt.clients.layerwise import supports
from flt.errors import InputError
from flt.models import CNN, BucketingCNN, ByzFLCNN, FullyConnected, LogisticRegression, ResNet20


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


def published(features, *layers, second_relu):
    """A network as its authors wrote it: functions between its layers, and pooling after the ReLU."""
    first, second, third, fourth = layers
    features = F.relu(first(features))
    features = second(F.max_pool2d(features, 2, 2) if first.kernel_size == (5, 5) else features)
    features = F.max_pool2d(F.relu(features) if second_relu else features, 2)
    return F.log_softmax(fourth(F.relu(third(features.flatten(1)))), dim=1)


@pytest.mark.parametrize(
    ("network", "count", "second_relu"),
    [
        (ByzFLCNN(), 431_080, True),
        (BucketingCNN(), 1_199_882, False),
        (BucketingCNN(second_relu=True), 1_199_882, True),
    ],
    ids=["byzfl", "bucketing", "bucketing-relu"],
)
def test_networks_of_other_papers(network, count, second_relu):
    features = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert num_parameters(network) == count
    layers = [layer for layer in network.layers if list(layer.parameters())]
    assert not network.eval()(features).isnan().any()
    labels, own = torch.tensor([0, 3, 9, 1]), list(network.parameters())
    theirs = published(features, *layers, second_relu=second_relu)
    losses = F.cross_entropy(network(features), labels), F.nll_loss(theirs, labels)
    for here, there in zip(*(torch.autograd.grad(loss, own) for loss in losses), strict=True):
        torch.testing.assert_close(here, there)


def test_byzfls_network_is_its_own():
    theirs, network = pytest.importorskip("byzfl.fed_framework.models").cnn_mnist(), ByzFLCNN()
    layers = [layer for layer in network.layers if list(layer.parameters())]
    assert [list(each.weight.shape) for each in layers] == [list(each.weight.shape) for each in theirs.children()]


def test_dropout_of_whole_channels():
    network, images = BucketingCNN(), torch.rand(64, 1, 28, 28)
    silent = [
        (each(images) == 0).flatten(2).all(dim=2).float().mean() for each in (network.layers[:5], network.layers[:6])
    ]
    assert 0.1 < silent[1] - silent[0] < 0.3
    assert not any(isinstance(layer, torch.nn.Dropout) for layer in BucketingCNN(dropout=False).layers)


def test_fully_connected_networks():
    assert num_parameters(FullyConnected()) == 407_050
    assert FullyConnected(12, [5, 4], 3)(torch.zeros(2, 3, 2, 2)).shape == (2, 3)
    assert num_parameters(FullyConnected(12, [], 3)) == 39
    with pytest.raises(InputError, match=r"FullyConnected: hidden=\[5, 0\]: a layer has 1 feature or more"):
        FullyConnected(12, [5, 0])


def test_convolutions_are_not_trained_by_layers():
    assert not supports(CNN())
    assert supports(LogisticRegression())
    assert supports(FullyConnected())
