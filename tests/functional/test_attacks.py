"""What every attack on the updates must satisfy; a new attack is tested by adding it to ``ATTACKS``."""

import pytest
import reference
import torch

from flt import functional as F

ATTACKS = {
    "krum-full": lambda u, m, r, g: F.krum_attack(u, m, generator=g),
    "krum-partial": lambda u, m, r, g: F.krum_attack(u, m, knowledge="partial", generator=g),
    "trim-full": lambda u, m, r, g: F.trim_attack(u, m, generator=g),
    "trim-partial": lambda u, m, r, g: F.trim_attack(u, m, knowledge="partial", generator=g),
    "adaptive-zeroth_order": lambda u, m, r, g: F.adaptive_attack(u, m, r, sweeps=2, steps=3, generator=g),
    "adaptive-exact": lambda u, m, r, g: F.adaptive_attack(u, m, r, solver="exact", generator=g),
}
FULL_KNOWLEDGE = ["krum-full", "trim-full"]

each_attack = pytest.mark.parametrize("attack", [pytest.param(attack, id=name) for name, attack in ATTACKS.items()])


def sample(num_clients, num_malicious, num_params=6, seed=0, dtype=torch.float64):
    updates, root_update = reference.sample_updates(num_clients, num_params, seed)
    malicious = torch.zeros(num_clients, dtype=torch.bool)
    malicious[torch.randperm(num_clients, generator=torch.Generator().manual_seed(seed))[:num_malicious]] = True
    return torch.tensor(updates, dtype=dtype), malicious, torch.tensor(root_update, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@each_attack
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_replaces_the_malicious_rows_only(attack, dtype):
    updates, malicious, root_update = sample(10, 4, dtype=dtype)
    sent = attack(updates, malicious, root_update, seeded())
    assert sent.dtype == dtype
    torch.testing.assert_close(sent[~malicious], updates[~malicious], rtol=0, atol=0)
    assert (sent[malicious] != updates[malicious]).any(dim=1).all()


@each_attack
def test_inputs_are_left_alone(attack):
    updates, malicious, root_update = sample(10, 4)
    before = updates.clone(), malicious.clone(), root_update.clone()
    attack(updates, malicious, root_update, seeded()).zero_()
    torch.testing.assert_close((updates, malicious, root_update), before, rtol=0, atol=0)


@each_attack
def test_nobody_malicious_changes_nothing(attack):
    updates, malicious, root_update = sample(7, 0)
    torch.testing.assert_close(attack(updates, malicious, root_update, seeded()), updates, rtol=0, atol=0)


@pytest.mark.parametrize("name", FULL_KNOWLEDGE)
def test_nobody_benign_changes_nothing(name):
    updates, malicious, root_update = sample(7, 7)
    torch.testing.assert_close(ATTACKS[name](updates, malicious, root_update, seeded()), updates, rtol=0, atol=0)


@each_attack
@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (3, 1), (3, 2), (5, 4), (20, 19), (6, 6)], ids=str)
def test_any_numbers_of_clients_give_finite_updates(attack, counts):
    updates, malicious, root_update = sample(*counts)
    sent = attack(updates, malicious, root_update, seeded())
    assert sent.shape == updates.shape
    assert sent.isfinite().all()


@each_attack
@pytest.mark.parametrize("fill", [0.0, 1.0, -1.0])
def test_equal_updates_give_finite_updates(attack, fill):
    _, malicious, root_update = sample(8, 3)
    for root in (root_update, torch.zeros_like(root_update)):
        assert attack(torch.full((8, 6), fill, dtype=torch.float64), malicious, root, seeded()).isfinite().all()


@each_attack
def test_order_of_clients_does_not_matter(attack):
    """The malicious rows, first to last, are crafted from sets of clients, so a shuffle crafts the same rows."""
    updates, malicious, root_update = sample(12, 4)
    order = torch.randperm(12, generator=seeded(5))
    crafted = attack(updates, malicious, root_update, seeded())[malicious]
    shuffled = attack(updates[order], malicious[order], root_update, seeded())
    torch.testing.assert_close(shuffled[malicious[order]], crafted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(shuffled[~malicious[order]], updates[order][~malicious[order]], rtol=0, atol=0)


@each_attack
def test_same_seed_same_attack_whatever_the_global_state(attack):
    updates, malicious, root_update = sample(10, 4)
    first = attack(updates, malicious, root_update, seeded())
    before = torch.get_rng_state()
    torch.testing.assert_close(attack(updates, malicious, root_update, seeded()), first, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["krum-partial", "trim-partial"])
def test_partial_knowledge_does_not_look_at_benign_clients(name):
    updates, malicious, root_update = sample(10, 5)
    crafted = ATTACKS[name](updates, malicious, root_update, seeded())[malicious]
    updates[~malicious] = 1000.0
    again = ATTACKS[name](updates, malicious, root_update, seeded())[malicious]
    torch.testing.assert_close(again, crafted, rtol=0, atol=0)


@pytest.mark.parametrize("attack", [F.krum_attack, F.trim_attack])
def test_unknown_knowledge_is_refused(attack):
    updates, malicious, _ = sample(10, 4)
    with pytest.raises(ValueError, match=r"knowledge.*half"):
        attack(updates, malicious, knowledge="half")
