import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flt import functional as F
from flt.functional.blocks import NUM_COLUMNS
from flt.functional.sorting_network import FEW, ordered_rows

# Rounding of a mean of up to 60 values of order one, which may nearly cancel.
ROUNDING = {torch.float32: {"rtol": 1e-5, "atol": 1e-6}, torch.float64: {"rtol": 1e-12, "atol": 1e-13}}


def test_trims_ties_one_by_one():
    updates = torch.tensor([[0.0], [4.0], [4.0], [4.0], [5.0]])
    torch.testing.assert_close(F.trimmed_mean(updates, trim=1), torch.tensor([4.0]))


@pytest.mark.parametrize(("num_clients", "trim"), [(4, 2), (3, 2), (1, 1), (5, -1)])
def test_trimming_everyone_is_refused(num_clients, trim):
    with pytest.raises(ValueError, match=f"trim.*{trim}"):
        F.trimmed_mean(torch.zeros(num_clients, 2), trim=trim)


@pytest.mark.parametrize("num_clients", [1, 5, 6])
@pytest.mark.parametrize("num_params", [0, 1, NUM_COLUMNS - 1, NUM_COLUMNS, NUM_COLUMNS + 1, 2 * NUM_COLUMNS + 3])
def test_any_number_of_parameters(num_params, num_clients):
    """They are sorted block by block; with one parameter a block is its own transpose, and must be left alone."""
    updates = torch.tensor(reference.sample_updates(num_clients, num_params, seed=0)[0]).float()
    ordered = np.sort(updates.double().numpy(), axis=0)
    before, trim = updates.clone(), (num_clients - 1) // 2
    expected = torch.tensor(ordered[trim : num_clients - trim].mean(axis=0)).float()
    torch.testing.assert_close(F.median(updates), expected, **ROUNDING[torch.float32])
    torch.testing.assert_close(F.trimmed_mean(updates, trim=trim), expected, **ROUNDING[torch.float32])
    torch.testing.assert_close(updates, before, rtol=0, atol=0)


@pytest.mark.parametrize("rule", [F.median, lambda updates: F.trimmed_mean(updates, trim=3)], ids=["median", "trimmed"])
def test_number_of_threads_does_not_matter(rule, threads):
    updates, results = torch.tensor(reference.sample_updates(10, 3 * NUM_COLUMNS + 5, seed=0)[0]).float(), []
    for num_threads in (1, 2, 5):
        threads(num_threads)
        results.append(rule(updates))
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_infinite_and_missing_values_are_no_error():
    """NaN counts as larger than all; opposite infinities in the middle have no mean."""
    inf, nan = float("inf"), float("nan")
    updates = torch.tensor([[1.0, -inf, nan], [2.0, -inf, 1.0], [4.0, inf, 2.0], [nan, inf, 3.0]])
    expected = torch.tensor([3.0, nan, 2.5])
    torch.testing.assert_close(F.median(updates), expected, equal_nan=True)
    torch.testing.assert_close(F.trimmed_mean(updates, trim=1), expected, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("num_clients", [*range(1, FEW + 3)])
def test_how_values_are_put_in_order_changes_no_bit(num_clients, dtype, threads):
    """Of few clients whole rows are compared, of many each coordinate's values are sorted."""
    threads(1)
    updates = torch.tensor(reference.sample_updates(num_clients, 200, seed=0)[0]).to(dtype)
    updates[:, :50] = updates[:, :50].round()
    ordered = np.sort(np.array(updates.numpy().T, order="C"), axis=1)
    middle = ordered[:, [(num_clients - 1) // 2, num_clients // 2]] / 2
    assert np.array_equal(F.median(updates), middle[:, 0] + middle[:, 1])
    for trim in {0, num_clients // 4, (num_clients - 1) // 2}:
        expected = ordered[:, trim : num_clients - trim].mean(1)
        assert np.array_equal(F.trimmed_mean(updates, trim=trim), expected), trim


@given(
    arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(1, 5)), elements=st.floats(width=32)),
    st.integers(0, 9),
)
def test_any_values_come_in_order(values, trim):
    places = range(min(trim, (len(values) - 1) // 2), max(len(values) - trim, len(values) // 2 + 1))
    found = np.array(ordered_rows(values, places))
    holes = np.isnan(values).any(axis=0)
    assert np.array_equal(found[:, ~holes], np.sort(values, axis=0)[places.start : places.stop][:, ~holes])
    assert np.isnan(found[:, holes]).all()
