"""Mixtures of updates that nobody writes down are what they would be written down, and so are their inner products."""

import pytest
import torch
from torch.testing import assert_close

from flt.functional.aggregation.fltrust import fltrust_sum
from flt.functional.gram import Gram
from flt.functional.rows import MANY, Rows

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
MIXINGS = {
    "none": [],
    "means": [torch.eye(6).roll(1, 0) * 0.5 + torch.eye(6) * 0.5],
    "clipped": [torch.diag(torch.tensor([1.0, 0.5, 1e-3, 1.0, 0.2, 1.0]))],
    "fewer": [torch.ones(2, 6) / 6],
    "picked": [torch.eye(6)[[0, 4, 4, 3]]],
    "picked of fewer": [torch.ones(2, 6) / 6, torch.eye(2)[[1, 0, 1]]],
    "nested": [torch.diag(torch.tensor([0.5, 1.0, 1.0, 1.0, 0.1, 1.0])), torch.eye(6)[[1, 1, 3]], torch.ones(1, 3) / 3],
}


@pytest.fixture(params=MIXINGS.values(), ids=MIXINGS)
def pair(request):
    """Rows as `Rows` has them, and the same written down in float64."""
    updates = torch.randn(6, 9000, generator=torch.Generator().manual_seed(3))
    updates[2] *= 1000.0  # which clipping brings back
    rows, exact = Rows(updates), updates.double()
    for mixing in request.param:
        rows, exact = rows.mixed(mixing), mixing.double() @ exact
    return rows, exact


def test_everything_that_is_asked_of_rows(pair):
    rows, exact = pair
    draws = torch.Generator().manual_seed(4)
    direction, weights = torch.randn(9000, generator=draws), torch.rand(len(exact), generator=draws)
    lengths = exact.norm(dim=1)
    assert (len(rows), rows.num_params) == exact.shape
    assert_close(rows.tensor.double(), exact, **CLOSE)
    assert_close(rows.row(0).double(), exact[0], **CLOSE)
    assert_close(rows.norms, lengths, **CLOSE)
    assert_close(rows.products_with(direction), exact @ direction.double(), rtol=1e-9, atol=1e-6)
    assert_close(rows.distances_to(direction), (exact - direction.double()).norm(dim=1), rtol=1e-9, atol=1e-6)
    total = rows.weighted_sum(weights.double())
    assert_close(total.mean().double(), weights.double() @ exact / weights.sum().double(), **CLOSE)
    assert_close(rows.by_columns(lambda values: values.amax(dim=0)).double(), exact.amax(dim=0), **CLOSE)
    assert_close(rows.columns(torch.tensor([5, 8999])).double(), exact[:, [5, 8999]], **CLOSE)


def test_the_gram_matrix(pair):
    rows, exact = pair
    gram, shares = rows.gram, torch.arange(1, len(exact) + 1).double()
    shares /= shares.sum()
    assert_close(gram.inner_products, exact @ exact.T, rtol=1e-10, atol=1e-8)
    differences = exact[:, None] - exact[None, :]
    assert_close(gram.squared_distances, differences.square().sum(dim=2), rtol=1e-9, atol=1e-5)
    unit = exact / exact.norm(dim=1, keepdim=True)
    assert_close(gram.cosines, unit @ unit.T, rtol=0, atol=1e-9)
    assert_close(gram.distances_from(shares), (exact - shares @ exact).norm(dim=1), rtol=1e-9, atol=1e-5)


def test_rows_are_picked_by_their_places(pair):
    rows, exact = pair
    places = torch.tensor([len(exact) - 1, 0])
    found = rows.picked(places)
    assert_close(found.tensor.double(), exact[places], **CLOSE)
    assert_close(found.norms, exact[places].norm(dim=1), **CLOSE)
    assert found.gram.squared_distances[0, 1] == rows.gram.squared_distances[-1, 0]
    assert found.gram.relative.shape == (2, 2)


def test_nobody_writes_a_mixture_down():
    rows = Rows(torch.ones(4, 8)).mixed(torch.ones(2, 4) / 4)
    assert rows.gram is rows.gram
    rows.weighted_sum(torch.ones(2, dtype=torch.float64))
    assert "tensor" not in vars(rows)
    assert rows.tensor is rows.tensor


@pytest.mark.parametrize(("opposite", "is_written"), [(False, False), (True, True)], ids=["means", "cancelling"])
def test_fltrust_of_mixtures_is_that_of_what_they_are(opposite, is_written):
    """Many numbers are written down only where updates cancel, of which float32 would leave a length that is noise."""
    updates = torch.randn(4, MANY // 4 + 1, generator=torch.Generator().manual_seed(5))
    if opposite:
        updates[1] = updates[0] * -1.00001
    mixing, root = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]), updates.sum(dim=0) + updates[0]
    rows = Rows(updates).mixed(mixing)
    assert rows.all_finite
    found, expected = fltrust_sum(rows, root, 1.0), fltrust_sum(mixing @ updates, root, 1.0)
    assert ("tensor" in vars(rows)) is is_written
    assert_close(found.trust_scores, expected.trust_scores, rtol=1e-4, atol=1e-7)
    assert_close(found.total.mean(), expected.total.mean(), **CLOSE)


@pytest.mark.parametrize("updates", [[[3e38], [3e38]], [[float("nan")], [1.0]]], ids=["overflow", "NaN"])
def test_mixtures_that_are_not_finite_are_found_out(updates):
    assert not Rows(torch.tensor(updates)).mixed(torch.ones(1, 2)).all_finite


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_one_huge_or_tiny_row_blurs_no_other(factor):
    updates = torch.randn(5, 50, generator=torch.Generator().manual_seed(0))
    updates[4] *= factor
    exact = updates.double()
    gram = Gram.of(updates)
    unit = exact / exact.norm(dim=1, keepdim=True)
    assert_close(gram.cosines, unit @ unit.T, rtol=0, atol=1e-9)
    shares = torch.tensor([0.25, 0.25, 0.25, 0.25, min(1.0 / factor, 1.0) * 1e-3])
    assert_close(
        gram.distances_from(shares / shares.sum())[:4],
        (exact - (shares / shares.sum()).double() @ exact).norm(dim=1)[:4],
        rtol=1e-6,
        atol=1e-9,
    )


def test_zero_rows_have_no_angle():
    gram = Gram.of(torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
    assert gram.cosines.tolist() == [[0.0, 0.0], [0.0, pytest.approx(1.0)]]
