import pytest
import torch

from flt import functional as F
from flt.errors import InputError


@pytest.mark.parametrize("factor", [1e-30, 1e38])
def test_the_mean_is_no_longer_than_the_bound(factor):
    updates = factor * torch.randn(9, 50, generator=torch.Generator().manual_seed(1)).clamp(-3, 3)
    mean = F.norm_bounded_mean(updates, torch.arange(1, 10), max_norm=0.5)
    assert mean.isfinite().all()
    assert mean.norm() <= 0.5 * (1 + 1e-6)


@pytest.mark.parametrize("max_norm", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bound_that_is_none(max_norm):
    with pytest.raises(InputError, match="max_norm"):
        F.norm_bounded_mean(torch.ones(2, 2), torch.ones(2), max_norm=max_norm)
