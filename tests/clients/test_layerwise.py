"""Which networks it is for; that its gradients are right, test_training.py tests with everything around them."""

import pytest
import torch
from tiny import mlp
from torch import nn
from torch.nn.utils.parametrize import register_parametrization
from torch.overrides import _get_current_function_mode_stack

from flt.clients.layerwise import _Record, client_gradients, supports


class Scaled(nn.Linear):
    def forward(self, features):
        return 2 * super().forward(features)


class Extra(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(4, 3), nn.Parameter(torch.ones(()))

    def forward(self, features):
        return self.scale * self.layer(features)


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
def test_linear_layers_alone_are_supported(network):
    assert supports(mlp())
    assert not supports(network)


def test_an_error_leaves_torch_as_it_was():
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(5, 3))
    with pytest.raises(RuntimeError, match="size"):
        client_gradients(network, list(network.parameters()), [torch.ones(2, 3, 4)], lambda scores: (scores, scores))
    assert not _get_current_function_mode_stack()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("between", [(), (5,), (5, 2), (0,)])
def test_outputs_are_those_of_linear_whatever_lies_before_the_features(between, bias):
    features, layer = torch.randn(6, *between, 4), nn.Linear(4, 3, bias=bias)
    with _Record(num_clients=3) as record:
        outputs = layer(features)
    torch.testing.assert_close(outputs, layer(features))
    assert [call.weight is layer.weight for call in record.calls] == [True]


def test_products_of_many_clients_go_block_by_block(monkeypatch):
    network, features = nn.Sequential(nn.Linear(4, 3)), torch.randn(7, 5, 4)

    def slope(scores):
        return torch.ones_like(scores), scores

    whole, _ = client_gradients(network, list(network.parameters()), [features], slope)
    monkeypatch.setattr("flt.clients.layerwise.BLOCK", 2 * network[0].weight.numel())
    in_blocks, _ = client_gradients(network, list(network.parameters()), [features], slope)
    torch.testing.assert_close(in_blocks, whole)
    torch.testing.assert_close(whole[0][:, :12].view(7, 3, 4), features.sum(dim=1)[:, None].expand(7, 3, 4))
