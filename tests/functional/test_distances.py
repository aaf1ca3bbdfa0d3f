import pytest
import reference
import torch

from flt import functional as F
from flt.functional.blocks import NUM_COLUMNS
from flt.functional.distances import BLOCK, SCALED_AT_ONCE, inner_products, norms


@pytest.mark.parametrize("num_params", [1, BLOCK, 3 * BLOCK + 7])
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-38, 3e37])
def test_norms_at_any_scale(num_params, scale):
    updates = torch.randn(3, num_params, generator=torch.Generator().manual_seed(num_params)) * scale
    updates[1] = 0
    expected = updates.double().pow(2).sum(dim=1).sqrt()
    assert norms(updates).dtype == torch.float64
    torch.testing.assert_close(norms(updates), expected, rtol=1e-6, atol=0)


def test_norms_of_updates_of_very_different_lengths():
    updates = torch.ones(4, 2 * BLOCK) * torch.tensor([1e-30, 1.0, 1e30, 0.0])[:, None]
    torch.testing.assert_close(norms(updates), updates[:, 0].double() * (2 * BLOCK) ** 0.5, rtol=1e-6, atol=0)


def test_norms_of_long_updates_do_not_drift():
    """A running sum of ten million equal squares in float32 would stop growing long before its end."""
    updates = torch.full((1, 10_000_000), 0.1)
    torch.testing.assert_close(norms(updates), updates[:, 0].double() * 10_000_000**0.5, rtol=3e-6, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_norm_of_an_update_that_is_not_finite(bad):
    updates = torch.ones(3, BLOCK + 5)
    updates[1, BLOCK + 2] = bad
    lengths = norms(updates)
    assert not lengths[1].isfinite()
    torch.testing.assert_close(lengths[[0, 2]], torch.full((2,), (BLOCK + 5) ** 0.5).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_params", [0, 1, NUM_COLUMNS - 1, NUM_COLUMNS, NUM_COLUMNS + 1, 2 * NUM_COLUMNS + 3])
def test_products_and_distances_add_up_over_blocks(num_params, dtype):
    updates = torch.tensor(reference.sample_updates(5, num_params, seed=0)[0], dtype=dtype)
    before, wide = updates.clone(), updates.double()
    distances = (wide[:, None] - wide[None]).square().sum(dim=2)
    torch.testing.assert_close(F.pairwise_squared_distances(updates), distances, rtol=1e-12, atol=0)
    torch.testing.assert_close(inner_products(updates[:2], updates), wide[:2] @ wide.T, rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(updates, before, rtol=0, atol=0)


def test_cosines_with_a_root_update_that_is_scaled_in_pieces():
    updates, root_update = torch.randn(3, 2 * SCALED_AT_ONCE + 5, generator=torch.Generator().manual_seed(0)).split(
        [2, 1]
    )
    wide, root = updates.double(), root_update[0].double()
    expected = (wide @ root) / (wide.norm(dim=1) * root.norm())
    torch.testing.assert_close(F.cosine_similarity(updates, root_update[0]).double(), expected, rtol=0, atol=1e-6)
