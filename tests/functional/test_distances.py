import pytest
import reference
import torch

from flt import functional as F
from flt.functional.blocks import NUM_COLUMNS
from flt.functional.distances import BLOCK, inner_products, norms


# Sums of up to 40 squares of order one to ten.
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (12, 40)])
def test_distances_agree_with_reference(shape, dtype, rtol):
    updates = torch.tensor(reference.sample_updates(*shape, seed=0)[0], dtype=dtype)
    expected = reference.pairwise_squared_distances(updates.double().numpy())
    actual = F.pairwise_squared_distances(updates)
    torch.testing.assert_close(actual.double(), torch.tensor(expected), rtol=rtol, atol=1e-4 * rtol)


def test_distances_are_symmetric_with_zero_diagonal():
    distances = F.pairwise_squared_distances(torch.tensor(reference.sample_updates(10, 30, seed=0)[0]).float())
    torch.testing.assert_close(distances, distances.T)
    assert (distances.diagonal() == 0).all()


def test_distances_between_nearly_equal_long_updates():
    """Crafted updates lie within 0.01 of each other; |a|^2 + |b|^2 - 2ab in float32 would lose that to rounding."""
    updates = torch.full((3, 1000), 1.0) + torch.tensor([[0.0], [1.0], [3.0]]) / 4096  # exact in float32
    expected = torch.tensor([[0.0, 1.0, 9.0], [1.0, 0.0, 4.0], [9.0, 4.0, 0.0]]) * 1000 / 4096**2
    torch.testing.assert_close(F.pairwise_squared_distances(updates).float(), expected, rtol=1e-3, atol=0)


def test_one_huge_client_does_not_blur_the_distances_between_the_others():
    """Subtracting a mean that the huge client moved by 1e11 would leave the others nothing but rounding errors."""
    updates = torch.tensor(reference.sample_updates(6, 20, seed=0)[0])
    expected = F.pairwise_squared_distances(updates)[1:, 1:]
    updates[0] *= 1e12
    torch.testing.assert_close(F.pairwise_squared_distances(updates)[1:, 1:], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("num_params", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-25, 1e-38, 1e14, 1e25, 3e37])
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
