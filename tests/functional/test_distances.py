import pytest
import reference
import torch

from flt import functional as F


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
