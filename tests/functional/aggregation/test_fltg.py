"""FLTG after a round before: tests/helpers/catalogue has the first round."""

import torch
from catalogue import EXAMPLE, EXAMPLE_ROOT
from reference.root import fltg_weights
from torch.testing import assert_close

from flt import functional as F


def test_the_last_aggregate_decides_on_the_reference():
    updates, root, last = (torch.tensor(each, dtype=torch.float64) for each in (EXAMPLE, EXAMPLE_ROOT, (1.0, 0.5)))
    assert_close(F.fltg(updates, root, last), torch.tensor([1.255776, 0.511231]).double(), rtol=0, atol=1e-6)
    weights = [0.432470, 0.261402, 0.022248, 0.107847, 0, 0.176033, 0]
    assert_close(
        torch.tensor(fltg_weights(*(each.numpy() for each in (updates, root, last)))),
        torch.tensor(weights).double(),
        rtol=0,
        atol=1e-6,
    )


def test_nobody_on_the_root_update_s_side():
    root = torch.tensor([1.0, 2.0])
    found = F.fltg(torch.stack([-root, torch.zeros(2), 1e-42 * root]), root)
    assert torch.equal(found, root)
    assert found is not root
