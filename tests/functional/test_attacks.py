"""That attacks on the updates compute what the table of attacks says."""

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


# Clients, malicious ones and parameters, in float32 and float64 by turns.
SHAPES = [(2, 1, 25), (4, 1, 2), (7, 2, 12), (10, 4, 25), (5, 4, 6), (6, 2, 1), (12, 11, 9), (20, 8, 30)]


@each_attack
def test_agrees_with_reference(attack):
    """Draws included: the generator ends where the reference leaves its own."""
    if attack.reference is None:
        return
    for settings in ({}, *attack.settings):
        for seed, shape in enumerate(SHAPES):
            dtype, tolerance = ((torch.float32, attack.precision), (torch.float64, 1e-9))[seed % 2]
            given, used, drawn = sample(*shape, seed, dtype), seeded(seed), seeded(seed)
            arrays = (given[0].double().numpy(), given[1].numpy(), given[2].double().numpy())
            expected = torch.tensor(attack.reference(*arrays, Draws(drawn, dtype), **settings))
            actual = attack.function(*given, used, **settings)
            assert actual.dtype == dtype
            torch.testing.assert_close(actual.double(), expected, rtol=tolerance, atol=tolerance, equal_nan=True)
            assert torch.equal(used.get_state(), drawn.get_state())


@pytest.mark.parametrize("attack", [F.krum_attack, F.trim_attack])
def test_unknown_knowledge_is_refused(attack):
    updates, malicious, _ = sample(10, 4)
    with pytest.raises(ValueError, match=r"knowledge.*half"):
        attack(updates, malicious, knowledge="half")
