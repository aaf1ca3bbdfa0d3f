"""What every attack must satisfy, over rounds in which it has a memory of those before; the attacks are a table."""

import numpy as np
import pytest
import torch
from hostile import federation_of, round_of, without_advice

from flt.federation import Round
from flt.federation.memory import NOTHING

CLOSE = {"rtol": 1e-6, "atol": 1e-6}  # of entries of order one, where an optimum is flat
SEEDS = range(12)


def rounds_of(seed, share=None, fewest=2):
    """Three rounds of the same clients that follow one another, in float64; ``share`` of them are malicious."""
    draw = np.random.default_rng(seed)
    num_clients, num_params = int(draw.integers(fewest, 13)), int(draw.integers(1, 9))
    num_malicious = int(draw.integers(1, num_clients)) if share is None else share * num_clients
    malicious = torch.tensor(draw.permutation(num_clients) < num_malicious)
    federation = federation_of(num_examples=torch.tensor(draw.integers(1, 50, num_clients)), malicious=malicious)

    def normal(*shape):
        return torch.tensor(draw.normal(size=shape))

    rounds = [round_of(federation, normal(num_clients, num_params), normal(num_params)) for _ in range(3)]
    return [each.replace(number=number, parameters=normal(num_params)) for number, each in enumerate(rounds)]


def sent_by(attack, rounds, change=lambda round: round):
    """What the server receives of the rounds, each changed before the attack sees it."""
    with without_advice():
        made, memory, sent = attack.make(), NOTHING, []
    for each in map(change, rounds):
        crafted = made.craft(each.replace(memory=memory))
        if isinstance(crafted, Round):
            memory, crafted = crafted.memory, crafted.updates
        sent.append(each.updates if crafted is None else crafted)
    return sent


def test_leaves_alone_what_it_is_given(attack):
    """Benign rows, its input, and the global random state; what it sends in their place is a tensor of its own."""
    for seed in SEEDS:
        rounds, same, state = rounds_of(seed), rounds_of(seed), torch.get_rng_state()
        for before, sent in zip(same, sent_by(attack, rounds), strict=True):
            assert sent.dtype == torch.float64
            assert torch.equal(sent[~before.malicious], before.updates[~before.malicious])
        assert torch.equal(torch.get_rng_state(), state)
        for each, before, sent in zip(rounds, same, sent_by(attack, rounds), strict=True):
            changed = not torch.equal(sent, before.updates)
            sent.fill_(7.0 if changed else torch.nan)
            assert torch.equal(each.updates, before.updates) or not changed
            assert torch.equal(each.parameters, before.parameters)
            assert torch.equal(each.root_update, before.root_update)


def test_nothing_changes_where_there_is_nobody_to_attack(attack):
    for seed in SEEDS:
        for share in (0, 1) if attack.needs_benign else (0,):
            rounds = rounds_of(seed, share)
            for each, sent in zip(rounds, sent_by(attack, rounds), strict=True):
                assert torch.equal(sent, each.updates)


def test_places_of_clients_do_not_matter(attack):
    """Malicious updates stay the same, first to last, however the benign ones come between them."""
    for seed in SEEDS:
        rounds = rounds_of(seed, share=0.3, fewest=8)  # Krum with a single neighbour finds two rows as good
        malicious, draw = rounds[0].malicious, np.random.default_rng(seed)
        order = torch.tensor(draw.permutation(len(malicious)))
        order[malicious[order]] = malicious.nonzero().flatten()

        def shuffled(round, order=order):
            names = ("client_ids", "malicious", "num_examples", "updates")
            rows = {name: getattr(round, name)[order] for name in names}
            return round.replace(**rows)

        for plain, other in zip(sent_by(attack, rounds), sent_by(attack, rounds, shuffled), strict=True):
            torch.testing.assert_close(other, plain[order], **CLOSE, equal_nan=True)


def depends_on_benign(attack, seed):
    """Whether other benign updates change what malicious clients send."""
    rounds = rounds_of(seed)

    def without_benign(round):
        return round.replace(updates=round.updates.masked_fill(~round.malicious[:, None], -1000.0))

    both = zip(sent_by(attack, rounds), sent_by(attack, rounds, without_benign), strict=True)
    malicious = rounds[0].malicious
    return any(not torch.equal(plain[malicious].nan_to_num(), other[malicious].nan_to_num()) for plain, other in both)


def test_benign_updates_make_a_difference_unless_an_attack_is_blind(attack):
    assert any(depends_on_benign(attack, seed) for seed in range(20)) != attack.blind


def test_clients_one_by_one(attack):
    """What is marked so treats each client by itself."""
    if not getattr(attack.make().craft, "by_client", False):
        return
    for seed in SEEDS:
        rounds = rounds_of(seed)
        for client in range(len(rounds[0])):
            alone = sent_by(attack, rounds, lambda round: round.keep(torch.arange(len(round)) == client))  # noqa: B023
            for one, together in zip(alone, sent_by(attack, rounds), strict=True):
                torch.testing.assert_close(one[0], together[client], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("fill", [None, 0.0, 1.0, -1.0])
def test_any_numbers_of_clients_and_equal_updates_give_finite_updates(attack, fill):
    if not attack.finite:
        return
    for num_clients, num_malicious in ((1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (6, 6), (8, 3), (20, 19)):
        malicious = torch.arange(num_clients) < num_malicious
        federation = federation_of(num_examples=torch.ones(num_clients), malicious=malicious)
        draw = torch.Generator().manual_seed(num_clients)
        updates = torch.randn(num_clients, 6, generator=draw, dtype=torch.float64)
        for root in (updates[0], torch.zeros_like(updates[0])):
            rows = updates if fill is None else torch.full_like(updates, fill)
            rounds = [round_of(federation, rows, root).replace(number=number) for number in range(3)]
            assert all(sent.isfinite().all() for sent in sent_by(attack, rounds))
