import pytest
import torch

from flt.functional.weighted_sum import ADDED_AT_ONCE, WeightedSum

NUM_PARAMS = ADDED_AT_ONCE + 3


@pytest.mark.parametrize("first", [1, 2])  # a single vector is not multiplied before it is added
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parts_add_up_and_nothing_else_changes(first, dtype):
    draws = torch.Generator().manual_seed(0)
    vectors = torch.randn(4, NUM_PARAMS, generator=draws, dtype=dtype)
    before, factors = vectors.clone(), torch.tensor([0.5, 2.0, -1.0, 0.25], dtype=torch.float64)
    parts = [WeightedSum.of(vectors[i:j], factors[i:j]) for i, j in ((0, first), (first, 3), (3, 4))]
    alone = [part.sums.clone() for part in parts]
    expected = sum(part.double() for part in alone)
    total = parts[0].plus(parts[1]).plus(parts[2])
    written_over = parts[0].add_(parts[1]).add_(parts[2])
    for each in (total, written_over):
        assert each.sums.dtype == torch.float64
        assert torch.equal(each.sums, expected)
        assert float(each.total) == 1.75
        torch.testing.assert_close(each.mean(), (factors @ before.double() / 1.75).to(dtype), rtol=1e-4, atol=1e-4)
    assert torch.equal(vectors, before)
    assert all(torch.equal(part.sums, own) for part, own in zip(parts[1:], alone[1:], strict=True))
