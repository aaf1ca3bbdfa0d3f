"""What every attack on the updates must satisfy; the attacks are a table."""

import copy
import itertools

import pytest
import reference
import torch
from catalogue import ATTACKS, Draws

from flt import functional as F

each_attack = pytest.mark.parametrize("attack", [pytest.param(row, id=row.name) for row in ATTACKS if row.function])


def sample(num_clients, num_malicious, num_params=6, seed=0, dtype=torch.float64):
    updates, root_update = reference.sample_updates(num_clients, num_params, seed)
    malicious = torch.zeros(num_clients, dtype=torch.bool)
    malicious[torch.randperm(num_clients, generator=torch.Generator().manual_seed(seed))[:num_malicious]] = True
    return torch.tensor(updates, dtype=dtype), malicious, torch.tensor(root_update, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# Clients, malicious ones and parameters.
SHAPES = [(2, 1, 25), (4, 1, 2), (7, 2, 12), (10, 4, 25), (5, 4, 6), (6, 2, 1), (12, 11, 9), (20, 8, 30)]


@each_attack
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_reference(attack, dtype):
    """Draws included: the generator ends where the reference leaves its own."""
    if attack.reference is None:
        return
    tolerance = attack.precision if dtype == torch.float32 else 1e-9
    for settings in ({}, *attack.settings):
        for seed, shape in enumerate(SHAPES):
            given, used, drawn = sample(*shape, seed, dtype), seeded(seed), seeded(seed)
            arrays = (given[0].double().numpy(), given[1].numpy(), given[2].double().numpy())
            expected = torch.tensor(attack.reference(*arrays, Draws(drawn, dtype), **settings))
            actual = attack.function(*given, used, **settings)
            torch.testing.assert_close(actual.double(), expected, rtol=tolerance, atol=tolerance)
            assert torch.equal(used.get_state(), drawn.get_state())


@each_attack
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_replaces_the_malicious_rows_only(attack, dtype):
    """And leaves what it is given, and the global random state, alone."""
    given = updates, malicious, _ = sample(10, 4, dtype=dtype)
    before, state = copy.deepcopy(given), torch.get_rng_state()
    sent = attack.function(*given, seeded())
    assert sent.dtype == dtype
    torch.testing.assert_close(sent[~malicious], updates[~malicious], rtol=0, atol=0)
    assert (sent[malicious] != updates[malicious]).any(dim=1).all()
    sent.zero_()
    torch.testing.assert_close(given, before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)


@each_attack
def test_nothing_changes_where_there_is_nobody_to_attack(attack):
    for num_malicious in (0, 7) if attack.needs_benign else (0,):
        updates, malicious, root_update = sample(7, num_malicious)
        sent = attack.function(updates, malicious, root_update, seeded())
        torch.testing.assert_close(sent, updates, rtol=0, atol=0)


@each_attack
def test_any_numbers_of_clients_and_equal_updates_give_finite_updates(attack):
    for counts in ((1, 1), (2, 1), (3, 2), (20, 19), (6, 6)):
        updates, malicious, root_update = sample(*counts)
        sent = attack.function(updates, malicious, root_update, seeded())
        assert sent.shape == updates.shape
        assert sent.isfinite().all()
    _, malicious, root_update = sample(8, 3)
    for fill, root in itertools.product((0.0, 1.0, -1.0), (root_update, torch.zeros_like(root_update))):
        updates = torch.full((8, 6), fill, dtype=torch.float64)
        assert attack.function(updates, malicious, root, seeded()).isfinite().all()


@each_attack
def test_order_of_clients_does_not_matter(attack):
    """Malicious rows that are crafted first to last from sets of clients are the same after a shuffle; others move."""
    updates, malicious, root_update = sample(12, 4)
    order = torch.randperm(12, generator=seeded(5))
    sent = attack.function(updates, malicious, root_update, seeded())
    crafted = sent[order][malicious[order]] if attack.by_client else sent[malicious]
    shuffled = attack.function(updates[order], malicious[order], root_update, seeded())
    torch.testing.assert_close(shuffled[malicious[order]], crafted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(shuffled[~malicious[order]], updates[order][~malicious[order]], rtol=0, atol=0)


@each_attack
def test_whether_it_looks_at_benign_clients(attack):
    updates, malicious, root_update = sample(10, 5)
    crafted = attack.function(updates, malicious, root_update, seeded())[malicious]
    updates[~malicious] = -1000.0
    again = attack.function(updates, malicious, root_update, seeded())[malicious]
    assert torch.equal(again, crafted) == attack.blind


@pytest.mark.parametrize("attack", [F.krum_attack, F.trim_attack])
def test_unknown_knowledge_is_refused(attack):
    updates, malicious, _ = sample(10, 4)
    with pytest.raises(ValueError, match=r"knowledge.*half"):
        attack(updates, malicious, knowledge="half")
