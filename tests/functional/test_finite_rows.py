import math

import pytest
import torch

from flt import functional as F


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 2])
@pytest.mark.parametrize("num_params", [3, 20_000])
def test_one_bad_entry_marks_its_row_only(bad, column, num_params):
    updates = torch.ones(3, num_params)
    updates[1, column] = bad
    finite = F.finite_rows(updates)
    assert finite.dtype == torch.bool
    assert finite.tolist() == [True, False, True]
    assert [F.all_finite(part) for part in (updates, updates[0], updates[1], updates[:0])] == [False, True, False, True]


def test_infinities_of_both_signs_do_not_cancel():
    assert F.finite_rows(torch.tensor([[math.inf, -math.inf], [0.0, 0.0]])).tolist() == [False, True]
    assert not F.all_finite(torch.tensor([math.inf, -math.inf]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_params", [4, 20_000])
def test_huge_and_tiny_entries_are_finite(dtype, num_params):
    """A sum or a norm of the row would overflow."""
    limits = torch.finfo(dtype)
    updates = torch.tensor([[limits.max], [limits.min], [limits.tiny]], dtype=dtype).repeat(1, num_params)
    assert F.finite_rows(updates).all()
    assert F.all_finite(updates)
