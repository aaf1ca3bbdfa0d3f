"""What every aggregation rule must satisfy; a new rule is tested by adding it, with its reference, to ``RULES``."""

from typing import NamedTuple

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flt import functional as F


class Rule(NamedTuple):
    implementation: object
    reference: object
    fewest_clients: int = 1


RULES = {
    "fedavg": Rule(lambda u, _: F.fedavg(u, torch.full((len(u),), 5)), lambda u, _: reference.fedavg(u, [5] * len(u))),
    "norm_bounded_mean": Rule(
        lambda u, _: F.norm_bounded_mean(u, torch.full((len(u),), 5), max_norm=4.0),
        lambda u, _: reference.norm_bounded_mean(u, [5] * len(u), 4.0),
    ),
    "krum-0": Rule(lambda u, _: F.krum(u, num_byzantine=0), lambda u, _: reference.krum(u, 0), 3),
    "krum-1": Rule(lambda u, _: F.krum(u, num_byzantine=1), lambda u, _: reference.krum(u, 1), 5),
    "trimmed_mean-0": Rule(lambda u, _: F.trimmed_mean(u, trim=0), lambda u, _: reference.trimmed_mean(u, 0)),
    "trimmed_mean-1": Rule(lambda u, _: F.trimmed_mean(u, trim=1), lambda u, _: reference.trimmed_mean(u, 1), 3),
    "median": Rule(lambda u, _: F.median(u), lambda u, _: reference.median(u)),
    "fltrust": Rule(F.fltrust, reference.fltrust),
    "fltrust-NoReLU": Rule(
        lambda u, r: F.fltrust(u, r, score="signed"), lambda u, r: reference.fltrust(u, r, score="signed")
    ),
    "fltrust-NoNorm": Rule(
        lambda u, r: F.fltrust(u, r, magnitude="own"), lambda u, r: reference.fltrust(u, r, magnitude="own")
    ),
    "fltrust-ParNorm": Rule(
        lambda u, r: F.fltrust(u, r, magnitude="at_most_root"),
        lambda u, r: reference.fltrust(u, r, magnitude="at_most_root"),
    ),
    "fltrust-withServer": Rule(
        lambda u, r: F.fltrust(u, r, include_root=True), lambda u, r: reference.fltrust(u, r, include_root=True)
    ),
}
SHAPES = [(1, 1), (2, 3), (3, 1), (5, 4), (6, 7), (21, 33)]
# Entries are of order one and sums have tens of terms: a few units in the last place, times the size of such a sum.
TOLERANCE = {torch.float32: {"rtol": 2e-5, "atol": 2e-5}, torch.float64: {"rtol": 1e-11, "atol": 1e-11}}

each_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=name) for name, rule in RULES.items()])


def sample(num_clients, num_params, seed, dtype=torch.float64):
    updates, root_update = reference.sample_updates(num_clients, num_params, seed)
    return torch.tensor(updates, dtype=dtype), torch.tensor(root_update, dtype=dtype)


@each_rule
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_reference(rule, shape, dtype):
    if shape[0] < rule.fewest_clients:
        return
    for seed in range(3):
        updates, root_update = sample(*shape, seed, dtype)
        expected = rule.reference(updates.double().numpy(), root_update.double().numpy())
        actual = rule.implementation(updates, root_update)
        assert actual.dtype == dtype
        torch.testing.assert_close(actual.double(), torch.tensor(expected), **TOLERANCE[dtype])


@each_rule
def test_order_of_clients_does_not_matter(rule):
    updates, root_update = sample(9, 6, seed=0)
    shuffled = updates[torch.randperm(9, generator=torch.Generator().manual_seed(1))]
    actual = rule.implementation(shuffled, root_update)
    torch.testing.assert_close(actual, rule.implementation(updates, root_update), rtol=1e-12, atol=1e-12)


@each_rule
def test_inputs_are_left_alone(rule):
    updates, root_update = sample(7, 5, seed=0)
    before = updates.clone(), root_update.clone()
    rule.implementation(updates, root_update).zero_()  # nor is the answer a view of them
    torch.testing.assert_close((updates, root_update), before, rtol=0, atol=0)


@each_rule
@pytest.mark.parametrize("num_clients", [1, 2, 3, 5, 8])
def test_unanimous_clients_get_their_way(rule, num_clients):
    if num_clients < rule.fewest_clients:
        return
    update = torch.tensor([1.0, -2.0, 0.0, 3.0])
    torch.testing.assert_close(rule.implementation(update.repeat(num_clients, 1), update), update)


@each_rule
def test_all_zero_input_gives_a_zero_update(rule):
    updates, root_update = torch.zeros(5, 3), torch.zeros(3)
    torch.testing.assert_close(rule.implementation(updates, root_update), torch.zeros(3), rtol=0, atol=0)


@each_rule
@given(
    updates=arrays(np.float64, st.tuples(st.integers(5, 8), st.just(3)), elements=st.integers(-3, 3).map(float)),
    root_update=arrays(np.float64, 3, elements=st.integers(-3, 3).map(float)),
)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_never_nan(rule, updates, root_update):
    """Small whole numbers: full of ties, zero vectors, right angles and opposites."""
    assert rule.implementation(torch.tensor(updates), torch.tensor(root_update)).isfinite().all()


@pytest.mark.parametrize("name", ["krum-1", "trimmed_mean-1", "median", "fltrust", "fltrust-ParNorm"])
def test_one_huge_client_does_not_break_the_rule(name):
    """The squared length of 1e25 overflows in float32."""
    updates, root_update = sample(7, 5, seed=0, dtype=torch.float32)
    updates[2] = 1e25
    aggregate = RULES[name].implementation(updates, root_update)
    assert aggregate.isfinite().all()
    assert aggregate.abs().max() < 100


@each_rule
@pytest.mark.parametrize("pattern", [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]], ids=str)
def test_largest_finite_entries_never_give_nan(rule, pattern):
    """A malicious client may send them, and the check for infinities lets them pass."""
    updates, root_update = torch.ones(7, 16), torch.ones(16)
    updates[2] = 3e38 * torch.tensor(pattern).repeat_interleave(4)
    assert rule.implementation(updates, root_update).isfinite().all()
    updates[2] = 3e38 * torch.tensor(pattern).repeat(4)
    assert rule.implementation(updates, root_update).isfinite().all()
