import pytest
import torch
from torch import nn

from flt.models.initialization import initialize


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network():
    return nn.Sequential(nn.Conv2d(3, 10, 5), nn.LayerNorm(4), nn.Flatten(), nn.Linear(40, 300))


def test_network_keeps_the_constructors_weights():
    made = network()
    before = [parameter.clone() for parameter in made.parameters()]
    generator = seeded()
    state = generator.get_state()
    initialize(made, "network", generator=generator)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), before, strict=True))
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (nn.Linear(40, 300), (2.24 / 170) ** 0.5),
        (nn.Conv2d(3, 10, 5), (2.24 / (13 * 25 / 2)) ** 0.5),  # fan in 3 * 25, fan out 10 * 25
    ],
    ids=["linear", "convolution"],
)
def test_xavier_is_uniform_within_its_bound(layer, bound):
    initialize(layer, "xavier", generator=seeded())
    weight = layer.weight.detach()
    assert 0.98 * bound < weight.abs().max() <= bound
    assert float(weight.mean()) == pytest.approx(0.0, abs=4 * bound / (3 * weight.numel()) ** 0.5)
    assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.08)
    assert not layer.bias.any()


def test_xavier_leaves_scales_of_one_dimension_alone():
    made = network()
    initialize(made, "xavier", generator=seeded())
    assert (made[1].weight == 1).all()
    assert not made[1].bias.any()


def test_the_generator_alone_decides():
    first, second, other = network(), network(), network()
    for made, seed in ((first, 1), (second, 1), (other, 2)):
        initialize(made, "xavier", generator=seeded(seed))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first[0].weight, other[0].weight)
    assert all(parameter.requires_grad for parameter in first.parameters())
