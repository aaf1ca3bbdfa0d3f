import pytest
import torch

from flt.errors import InputError
from flt.models import LogisticRegression


def test_defaults_are_those_of_har():
    network = LogisticRegression()
    assert [list(parameter.shape) for parameter in network.parameters()] == [[6, 561], [6]]
    assert not any(parameter.any() for parameter in network.parameters())


def test_scores_are_a_linear_map():
    network = LogisticRegression(2, 3)
    with torch.no_grad():
        network.linear.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        network.linear.bias.copy_(torch.tensor([0.5, 0.0, -1.0]))
    assert network(torch.tensor([[1.0, -1.0], [0.0, 2.0]])).tolist() == [[-0.5, -1.0, -2.0], [4.5, 8.0, 11.0]]


def test_examples_of_any_shape_are_flattened():
    assert LogisticRegression(12, 3)(torch.ones(5, 1, 3, 4)).shape == (5, 3)


@pytest.mark.parametrize("arguments", [{"num_features": 0}, {"num_classes": -1}])
def test_arguments_out_of_range(arguments):
    (name, value) = next(iter(arguments.items()))
    with pytest.raises(InputError, match=f"LogisticRegression: {name}={value} must be at least 1"):
        LogisticRegression(**arguments)
