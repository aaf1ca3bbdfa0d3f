"""What every aggregation rule must satisfy, as a function and as a callback on one round; the rules are a table."""

import hostile
import numpy as np
import pytest
import reference
import torch
from catalogue import EXAMPLE, EXAMPLE_ROOT, RULES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

SHAPES = [(1, 1), (2, 3), (3, 1), (5, 4), (6, 7), (21, 33)]
# Entries are of order one and sums have tens of terms: a few units in the last place, times the size of such a sum.
TOLERANCE = {torch.float32: {"rtol": 2e-5, "atol": 2e-5}, torch.float64: {"rtol": 1e-11, "atol": 1e-11}}
GOLDEN = [pytest.param(rule, golden, id=rule.name) for rule in RULES for golden in rule.golden]


def sample(num_clients, num_params, seed, dtype=torch.float64):
    """Updates, a root update, and how many examples each client has."""
    updates, root_update = reference.sample_updates(num_clients, num_params, seed)
    return torch.tensor(updates, dtype=dtype), torch.tensor(root_update, dtype=dtype), torch.arange(2, 2 + num_clients)


def numbers_to_tolerate(rule, num_clients):
    """0, 1 and 2, of which the rule may tolerate fewer among so few clients."""
    return [f for f in (0, 1, 2) if rule.fewest(f) <= num_clients]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_agrees_with_reference(rule, dtype):
    for shape in SHAPES:
        for seed, f in enumerate(numbers_to_tolerate(rule, shape[0])):
            given = sample(*shape, seed, dtype)
            expected = rule.reference(*(tensor.double().numpy() for tensor in given), f)
            actual = rule.function(*given, f)
            assert actual.dtype == dtype
            torch.testing.assert_close(actual.double(), torch.tensor(expected), **TOLERANCE[dtype])


@pytest.mark.parametrize(("rule", "golden"), GOLDEN)
def test_golden_vectors(rule, golden):
    """They come out of the function, of its reference and of the callback."""
    updates, root, sizes = torch.tensor(EXAMPLE), torch.tensor(EXAMPLE_ROOT), torch.ones(len(EXAMPLE))
    federation = hostile.federation_of(num_examples=sizes, malicious=torch.arange(len(updates)) == 6)
    case = hostile.Case(hostile.round_of(federation, updates, root), clients_per_part=len(updates))
    _, aggregate = hostile.receive(case, rule.make(**golden.settings))
    wide = (tensor.double() for tensor in (updates, root, sizes))
    found = (
        rule.function(updates, root, sizes, 1, **golden.settings),
        torch.tensor(rule.reference(*(tensor.numpy() for tensor in wide), 1, **golden.settings)),
        aggregate.update,
    )
    for vector in found:
        torch.testing.assert_close(vector.double(), torch.tensor(golden.expected).double(), rtol=0, atol=2e-6)


def test_order_of_clients_does_not_matter(rule):
    updates, root_update, sizes = sample(9, 6, seed=0)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    actual = rule.function(updates[order], root_update, sizes[order], 2)
    torch.testing.assert_close(actual, rule.function(updates, root_update, sizes, 2), rtol=1e-12, atol=1e-12)


def test_inputs_are_left_alone(rule):
    given = sample(7, 5, seed=0)
    before = [tensor.clone() for tensor in given]
    rule.function(*given, 1).zero_()  # nor is the answer a view of them
    torch.testing.assert_close(given, tuple(before), rtol=0, atol=0)


@pytest.mark.parametrize("num_clients", [1, 2, 3, 5, 8])
def test_unanimous_clients_get_their_way(rule, num_clients):
    update, sizes = torch.tensor([0.1, -0.2, 0.0, 0.3]), torch.full((num_clients,), 5)
    for f in numbers_to_tolerate(rule, num_clients):
        found = rule.function(update.repeat(num_clients, 1), update, sizes, f)
        assert torch.allclose(found, update, rtol=1e-6, atol=1e-7) == rule.unanimous


def test_all_zero_input_gives_a_zero_update(rule):
    aggregate = rule.function(torch.zeros(5, 3), torch.zeros(3), torch.arange(5), 1)
    torch.testing.assert_close(aggregate, torch.zeros(3), rtol=0, atol=0)


@given(
    updates=arrays(np.float64, st.tuples(st.integers(5, 8), st.just(3)), elements=st.integers(-3, 3).map(float)),
    root_update=arrays(np.float64, 3, elements=st.integers(-3, 3).map(float)),
)
@settings(settings.get_profile("short"), max_examples=30)
def test_never_nan(rule, updates, root_update):
    """Small whole numbers: full of ties, zero vectors, right angles and opposites."""
    aggregate = rule.function(torch.tensor(updates), torch.tensor(root_update), torch.ones(len(updates)), 1)
    assert aggregate.isfinite().all()
