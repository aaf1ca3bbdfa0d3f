"""Which networks it is for; that its gradients are right, test_clients.py tests with everything around them."""

import pytest
import torch
from tiny import mlp
from torch import nn
from torch.nn.utils.parametrize import register_parametrization
from torch.overrides import _get_current_function_mode_stack

from flt.layerwise import _Record, client_gradients, supports


class Scaled(nn.Linear):
    def forward(self, features):
        return 2 * super().forward(features)


class Extra(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 3), nn.Parameter(torch.ones(()))

    def forward(self, features):
        return self.scale * self.layer(features)


@pytest.mark.parametrize("network", [nn.Linear(4, 3), mlp(), nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))])
def test_linear_layers_are_supported(network):
    assert supports(network)


@pytest.mark.parametrize(
    "network",
    [
        Scaled(4, 3),
        Extra(),
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)),
        nn.Conv1d(1, 1, 3),
        nn.Embedding(3, 4),
        register_parametrization(nn.Linear(4, 3), "weight", nn.Identity()),
    ],
    ids=lambda network: type(network).__name__,
)
def test_any_other_parameter_is_not(network):
    assert not supports(network)


def test_an_error_leaves_torch_as_it_was():
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(5, 3))
    with pytest.raises(RuntimeError, match="size"):
        client_gradients(network, list(network.parameters()), [torch.ones(2, 3, 4)], lambda scores: (scores, scores))
    assert not _get_current_function_mode_stack()


@pytest.mark.parametrize("shape", [(5,), (5, 4), (5, 2, 4)])
def test_outputs_are_those_of_linear_whatever_lies_before_the_features(shape):
    features, layer = torch.randn(*shape[:-1], 4), nn.Linear(4, 3)
    with _Record():
        outputs = layer(features)
    torch.testing.assert_close(outputs, layer(features))
