import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from flt.clients.batch_norm import flatten_statistics, has_batch_statistics, move_statistics, statistics_of

CPU = torch.device("cpu")
WIDTHS = st.lists(st.integers(1, 4), max_size=4)
KINDS = [
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    lambda width: nn.InstanceNorm2d(width, track_running_stats=True),
]
STATELESS = [
    nn.Identity,
    nn.InstanceNorm1d,
    lambda width: nn.BatchNorm2d(width, track_running_stats=False),
    lambda width: nn.GroupNorm(1, width),
    nn.LayerNorm,
]


@st.composite
def networks(draw):
    """Any number of normalisations, nested, and the widths of those that track."""
    widths = draw(WIDTHS)
    network = nn.Sequential(nn.Linear(2, 2))
    for width in widths:
        inner = nn.Sequential(draw(st.sampled_from(STATELESS))(width), draw(st.sampled_from(KINDS))(width))
        network.append(inner if draw(st.booleans()) else nn.ModuleDict({"inner": inner}))
    return network, widths


def numbers(draw, size, low=-10.0, high=10.0):
    values = draw(st.lists(st.floats(low, high, width=32), min_size=size, max_size=size))
    return torch.tensor(values, dtype=torch.float32)


@settings(deadline=None, max_examples=50)
@given(networks())
def test_means_and_variances_are_found_and_nothing_else(made):
    network, widths = made
    found = statistics_of(network)
    names = [name for name, _ in network.named_buffers() if not name.endswith("num_batches_tracked")]
    assert list(found) == names
    assert sum(tensor.numel() for tensor in found.values()) == 2 * sum(widths)
    assert all(tensor is network.get_buffer(name) for name, tensor in found.items())
    flat = flatten_statistics(found, CPU)
    assert flat.tolist() == [start for width in widths for start in (0.0, 1.0) for _ in range(width)]
    assert flat.dtype == torch.float32


@settings(deadline=None, max_examples=50)
@given(networks(), st.data())
def test_moving_adds_and_stops_at_a_variance_of_zero(made, data):
    network, widths = made
    size = 2 * sum(widths)
    for buffer in statistics_of(network).values():
        buffer.copy_(numbers(data.draw, buffer.numel(), low=0.0))
    before, state = flatten_statistics(statistics_of(network), CPU), copy.deepcopy(network.state_dict())
    change = numbers(data.draw, size)
    given_change = change.clone()
    move_statistics(network, change)
    assert torch.equal(change, given_change)
    sums = (before + change).numpy()
    is_variance = np.array([kind == 1 for width in widths for kind in (0, 1) for _ in range(width)], dtype=bool)
    expected = np.where(is_variance, np.maximum(sums, 0.0), sums)
    np.testing.assert_array_equal(flatten_statistics(statistics_of(network), CPU).numpy(), expected)
    for name, value in network.state_dict().items():
        if "running" not in name:
            assert torch.equal(value, state[name])


@pytest.mark.parametrize(
    ("module", "has"),
    [
        (nn.BatchNorm1d(2), True),
        (nn.BatchNorm2d(2, track_running_stats=False), True),
        (nn.SyncBatchNorm(2), True),
        (nn.LayerNorm(2), False),
        (nn.GroupNorm(1, 2), False),
        (nn.InstanceNorm2d(2), False),
        (nn.InstanceNorm2d(2, track_running_stats=True), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_batch_statistics(module, has):
    assert has_batch_statistics(nn.Sequential(nn.Sequential(module))) == has
