"""What every aggregation rule must satisfy, as a function and as a callback on one round; the rules are a table."""

from contextlib import suppress

import hostile
import numpy as np
import pytest
import reference
import torch
from catalogue import EXAMPLE_ROOT, RULES

from flt import functional as F
from flt.errors import InputError
from flt.functional.aggregation.detection.signguard import block_of

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


def test_updates_in_half_the_digits(rule):
    """In bfloat16 there is an aggregate in bfloat16, that of the same numbers in float64 but for rounding."""
    wide = [tensor.bfloat16().double() for tensor in sample(9, 6, seed=0)[:2]]
    sizes = torch.arange(2, 11)
    found = rule.function(*(tensor.bfloat16() for tensor in wide), sizes, 1)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), rule.function(*wide, sizes, 1), rtol=0.03, atol=0.03)


@pytest.mark.parametrize(("rule", "golden"), GOLDEN)
def test_golden_vectors(rule, golden):
    """They come out of the function, of its reference and of the callback."""
    updates, root = torch.tensor(golden.updates), torch.tensor(EXAMPLE_ROOT)
    sizes = torch.ones(len(updates))
    federation = hostile.federation_of(num_examples=sizes, malicious=torch.arange(len(updates)) == len(updates) - 1)
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


EXACT = {"rtol": 1e-8, "atol": 1e-8}  # of entries of order one, in float64


def case_of(rule, seed, num_byzantine=None):
    """Updates, a root update, numbers of examples and a number to tolerate, all drawn."""
    draw = np.random.default_rng(seed)
    num_clients = int(draw.integers(7, 13))  # with a single neighbour two rows of Krum are as good
    given = sample(num_clients, int(draw.integers(1, 7)), seed)
    fitting = numbers_to_tolerate(rule, num_clients) if num_byzantine is None else [num_byzantine]
    return *given, int(draw.choice(fitting))


def anonymous(rule, seed):
    """Both sides of: the order of the clients does not matter."""
    updates, root, sizes, f = case_of(rule, seed)
    other = torch.randperm(len(updates), generator=torch.Generator().manual_seed(seed))
    return rule.function(updates[other], root, sizes[other], f), rule.function(updates, root, sizes, f)


def translates(rule, seed):
    """Both sides of: a vector added to all updates is added to the aggregate."""
    updates, root, sizes, f = case_of(rule, seed)
    vector = torch.linspace(-3.0, 5.0, len(root), dtype=root.dtype)
    return rule.function(updates + vector, root + vector, sizes, f), rule.function(updates, root, sizes, f) + vector


def scales(rule, seed):
    """Both sides of: a positive number multiplies the aggregate as it multiplies all updates."""
    updates, root, sizes, f = case_of(rule, seed)
    return rule.function(2.5 * updates, 2.5 * root, sizes, f), 2.5 * rule.function(updates, root, sizes, f)


def averages(rule, seed):
    """Both sides of: where nobody is malicious, it is the mean of clients with as many examples each."""
    updates, root, sizes, f = case_of(rule, seed, num_byzantine=0)
    return rule.function(updates, root, torch.ones_like(sizes), f), updates.mean(dim=0)


PROPERTIES = {"anonymous": anonymous, "translates": translates, "scales": scales, "averages": averages}


def test_properties(rule):
    """Those that the rule is said to have it has in every draw; those that it is said not to have it lacks in one."""
    for name, sides in PROPERTIES.items():
        if getattr(rule, name):
            for seed in range(15):
                torch.testing.assert_close(*sides(rule, seed), **EXACT)
        else:
            assert any(not torch.allclose(*sides(rule, seed), **EXACT) for seed in range(50)), name


def test_an_update_with_a_nan_changes_nothing(rule):
    """Through all that lies between the clients and the rule."""
    for seed in range(10):
        updates, root, _, f = case_of(rule, seed)
        updates, root, num_clients = updates.float(), root.float(), len(updates)
        place = seed % (num_clients + 1)
        more = torch.cat([updates[:place], torch.full_like(root[None], torch.nan), updates[place:]])
        results = []
        for rows in (updates, more):
            malicious = torch.arange(len(rows)) < f
            federation = hostile.federation_of(num_examples=torch.full((len(rows),), 7), malicious=malicious)
            case = hostile.Case(hostile.round_of(federation, rows, root), clients_per_part=len(rows))
            round, aggregate = hostile.receive(case, rule.make())
            assert len(round) == num_clients
            results.append(aggregate.update)
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


def test_inputs_are_left_alone(rule):
    given = sample(7, 5, seed=0)
    before = [tensor.clone() for tensor in given]
    rule.function(*given, 1).zero_()  # nor is the answer a view of them
    torch.testing.assert_close(given, tuple(before), rtol=0, atol=0)


def test_unanimous_clients_get_their_way(rule):
    update = torch.tensor([0.1, -0.2, 0.0, 0.3])
    for num_clients in (1, 2, 3, 5, 8):
        for f in numbers_to_tolerate(rule, num_clients):
            found = rule.function(update.repeat(num_clients, 1), update, torch.full((num_clients,), 5), f)
            assert torch.allclose(found, update, rtol=1e-6, atol=1e-7) == rule.unanimous


def test_all_zero_input_gives_a_zero_update(rule):
    aggregate = rule.function(torch.zeros(5, 3), torch.zeros(3), torch.arange(5), rule.tolerated(1, 5))
    torch.testing.assert_close(aggregate, torch.zeros(3), rtol=0, atol=0)


def test_never_nan(rule):
    """Small whole numbers: full of ties, zero vectors, right angles and opposites."""
    draw = np.random.default_rng(0)
    for num_clients in [5, 6, 7, 8] * 8:
        updates, root = (torch.tensor(draw.integers(-3, 4, shape)).double() for shape in ((num_clients, 3), 3))
        aggregate = rule.function(updates, root, torch.ones(num_clients), rule.tolerated(1, num_clients))
        assert aggregate.isfinite().all()


ROW, ONE = torch.ones(3, 2), torch.ones(2)
MISTAKES = [
    (lambda: F.trust_scores(ROW, ONE, score="abs"), "score='abs': choose one of"),
    (lambda: F.fltrust(ROW, ONE, score="signed", least_cosine=0.5), "least_cosine=0.5 has no effect with score signed"),
    (lambda: F.dnc(ROW, num_byzantine=1, filter_fraction=-1.0), "filter_fraction=-1.0: set it above 0"),
    (lambda: F.dnc(ROW, num_byzantine=1, filter_fraction=float("nan")), "filter_fraction=nan: set it above 0"),
    (lambda: F.foolsgold(ROW, confidence=0.0), "confidence=0.0 must be"),
    (lambda: F.afa(ROW, torch.ones(3), threshold=-1.0), "threshold=-1.0 must be"),
    (lambda: F.afa(ROW, torch.ones(3), growth=-0.1), "growth=-0.1 must be"),
    (lambda: F.zeno(ROW, lambda u: u[:, 0], num_byzantine=1, rho=-1.0), "rho=-1.0 must be"),
    (lambda: F.zeno_plus_plus(ROW, ONE, gamma=-0.1), "gamma=-0.1 must be"),
    (lambda: F.geometric_median(ROW, torch.tensor([1.0, -1.0, 1.0])), "a client counts 0 or more"),
]


@pytest.mark.parametrize(("function", "message"), MISTAKES)
def test_arguments_out_of_range_are_refused(function, message):
    with pytest.raises(InputError, match=message):
        function()


def test_of_no_updates_there_is_an_aggregate_or_an_error(rule):
    with suppress(InputError):
        assert rule.function(torch.zeros(0, 2), torch.ones(2), torch.ones(0), 0).isfinite().all()


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar")
def test_updates_that_require_a_gradient(rule):
    updates, root, sizes = sample(7, 5, seed=0)
    found = rule.function(updates.clone().requires_grad_(), root.clone().requires_grad_(), sizes, 1)
    torch.testing.assert_close(found.detach(), rule.function(updates, root, sizes, 1), rtol=0, atol=0)


def test_a_share_of_a_hundred_coordinates_is_not_rounded_below_a_whole_number():
    """0.29 of them are 29, though 0.29 * 100 is a little less."""
    root = torch.ones(100)
    update = root.where(torch.arange(100) >= 28, -1.0)
    torch.testing.assert_close(F.flod(update[None], root, step=0.5, tolerance=0.29), 0.5 * update)
    assert block_of(100, share=0.29, draw=0.0) == slice(0, 29)
