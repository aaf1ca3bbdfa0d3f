"""That float32 is no worse than it must be: many parameters, many clients, updates that nearly agree."""

import numpy as np
import pytest
import torch

from flt import functional as F
from flt.functional.weighted_sum import WeightedSum

NEAR = 1e-5  # relative


def drifting(num_clients, num_params, seed=0):
    """Updates of one sign that nearly agree with a root update: the rounding of a long sum does not cancel."""
    source = torch.Generator().manual_seed(seed)
    root_update = 0.1 + torch.rand(num_params, generator=source)
    return root_update + 0.3 * torch.rand(num_clients, num_params, generator=source), root_update


def assert_near(actual, expected, rtol=NEAR):
    torch.testing.assert_close(actual.double(), torch.as_tensor(expected), rtol=rtol, atol=0)


def test_many_parameters(rule):
    updates, root_update = drifting(7, 20_001)
    given = updates, root_update, torch.arange(1, 8)
    assert_near(rule.function(*given, 1), rule.reference(*(tensor.double().numpy() for tensor in given), 1))


def test_ten_million_parameters():
    updates, root_update = drifting(3, 10_000_000)
    inner, squares, across = np.zeros(3), np.zeros(3), np.zeros(3)
    root_square = 0.0
    for block, root in zip(updates.split(500_000, dim=1), root_update.split(500_000), strict=True):
        rows, root = block.double().numpy(), root.double().numpy()
        inner, squares, root_square = inner + rows @ root, squares + (rows**2).sum(axis=1), root_square + root @ root
        across += ((rows - rows[[1, 2, 0]]) ** 2).sum(axis=1)
    assert_near(F.pairwise_squared_distances(updates)[[0, 1, 2], [1, 2, 0]], across)
    cosines = inner / np.sqrt(squares * root_square)
    assert_near(F.cosine_similarity(updates, root_update), cosines)
    some = slice(7_000_000, 7_001_000)
    rows = updates[:, some].double().numpy()
    expected = (cosines * np.sqrt(root_square / squares)) @ rows / cosines.sum()
    assert_near(F.fltrust(updates, root_update)[some], expected)


@pytest.mark.parametrize("fill", ["equal", "normal"])
def test_a_hundred_thousand_clients(fill):
    """A running sum in float32 of so many equal numbers is wrong in its third digit."""
    source = torch.Generator().manual_seed(0)
    kinds = {
        "equal": lambda: torch.full((100_000, 4), 0.1),
        "normal": lambda: torch.randn(100_000, 4, generator=source),
    }
    updates, counts = kinds[fill](), torch.ones(100_000)
    wide = updates.double()
    typical = float(wide.abs().mean())
    torch.testing.assert_close(F.fedavg(updates, counts).double(), wide.mean(dim=0), rtol=0, atol=NEAR * typical)
    parts = [WeightedSum.of(some, torch.full((len(some),), 1e-5).double()) for some in updates.split(64)]
    total = parts[0]
    for part in parts[1:]:
        total = total.plus(part)
    torch.testing.assert_close(total.mean().double(), wide.mean(dim=0), rtol=0, atol=NEAR * typical)
    middle = wide.sort(dim=0).values[30_000:70_000].mean(dim=0)
    trimmed = F.trimmed_mean(updates, trim=30_000).double()
    torch.testing.assert_close(trimmed, middle, rtol=0, atol=NEAR * typical)


def test_fltrust_of_a_hundred_thousand_clients():
    updates, root_update = drifting(100_000, 4)
    wide, root = updates.double(), root_update.double()
    cosines = (wide @ root) / (wide.norm(dim=1) * root.norm())
    expected = (cosines / wide.norm(dim=1) * root.norm()) @ wide / cosines.sum()
    assert_near(F.fltrust(updates, root_update), expected)


@pytest.mark.parametrize("spread", [1e-2, 1e-6])
@pytest.mark.parametrize("beside", ["nobody", "both"])
def test_distances_between_updates_that_nearly_agree(spread, beside):
    """Inner products in float32 would leave nothing of them."""
    source = torch.Generator().manual_seed(0)
    common = torch.randn(1, 9000, generator=source)
    near = common * (1 + spread * torch.randn(6, 9000, generator=source))
    outliers = {"nobody": [], "both": [1e30, 0.0]}[beside]
    updates = torch.cat([near, *(factor * common for factor in outliers)])
    wide = near.double()
    expected = (wide[:, None] - wide[None]).square().sum(dim=2)
    assert_near(F.pairwise_squared_distances(updates)[:6, :6], expected)


def test_distances_in_groups_within_groups():
    """Some differ from zero by 1, some of those from each other by 1e-5, some of those by the last bit."""
    source = torch.Generator().manual_seed(0)
    common = 1 + torch.rand(1, 9000, generator=source)
    near = common * (1 + 1e-5 * torch.randn(4, 9000, generator=source))
    nearest = near[:1].repeat(3, 1)
    nearest[[0, 1, 2], [10, 11, 12]] *= 1 + 2**-23
    far = torch.randn(2, 9000, generator=source)
    updates = torch.cat([nearest, far, near, -near, 1e20 * common, 0 * common])
    wide = updates.double()
    expected = torch.stack([(wide - row).square().sum(dim=1) for row in wide])
    assert_near(F.pairwise_squared_distances(updates), expected)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_equal_updates_are_at_no_distance(size):
    updates = size * torch.randn(1, 9000, generator=torch.Generator().manual_seed(0)).expand(7, -1)
    assert not F.pairwise_squared_distances(updates).any()
    assert int(F.krum_select(updates, num_byzantine=2)) == 0


def test_equal_updates_beside_others():
    """They are the closest of all, whatever the others are, and the first of them is Krum's."""
    updates = torch.randn(9, 5000, generator=torch.Generator().manual_seed(0))
    updates[[3, 4, 6, 8]] = updates[3].clone()
    updates[0], updates[1] = 0.0, 1e30
    assert int(F.krum_select(updates, num_byzantine=4)) == 3
