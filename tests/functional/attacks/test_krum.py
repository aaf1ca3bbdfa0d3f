import math

import pytest
import reference
import torch

from flt import functional as F
from flt.functional.blocks import NUM_COLUMNS


def sample(num_clients, num_malicious, num_params, seed, dtype=torch.float64):
    updates, _ = reference.sample_updates(num_clients, num_params, seed)
    malicious = torch.zeros(num_clients, dtype=torch.bool)
    malicious[torch.randperm(num_clients, generator=torch.Generator().manual_seed(seed))[:num_malicious]] = True
    return torch.tensor(updates, dtype=dtype), malicious


def draws(num_malicious, num_params, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(num_malicious - 1, num_params, generator=generator, dtype=dtype)
    return directions, torch.rand(num_malicious - 1, 1, generator=generator, dtype=dtype), generator


def test_worked_by_hand():
    """Five benign updates 2e_k (norm 2, squared distances 8) and two malicious ones in their mean, which Krum picks.

    The 3 nearest benign others give 24, so lambda starts at sqrt(24 / ((7-4-1) * 5)) + 2/sqrt(5) = 2.44; with n-m-1
    in place of n-2m-1 it would be 1.99. A crafted update lies at squared distance 5 lambda^2 + 4 lambda + 4 from every
    benign one, twice which is below 24 only for lambda < 0.927: after two halvings.
    """
    updates = torch.cat([torch.full((2, 5), 0.4), 2 * torch.eye(5)]).double()
    malicious = torch.tensor([True] * 2 + [False] * 5)
    sent = F.krum_attack(updates, malicious, epsilon=0.0, generator=torch.Generator().manual_seed(0))
    bound = math.sqrt(24 / 10) + 2 / math.sqrt(5)
    torch.testing.assert_close(sent[malicious], torch.full((2, 5), -bound / 4).double())


def test_hopeless_search_sends_the_first_lambda_below_the_threshold():
    """Benign 1..5: Krum's best score is 6, and -lambda scores at least 1 + 4 + 9, so the search runs to its end."""
    updates = torch.tensor([[3.0], [1.0], [2.0], [3.0], [4.0], [5.0]], dtype=torch.float64)
    malicious = torch.tensor([True] + [False] * 5)
    sent = F.krum_attack(updates, malicious, generator=torch.Generator().manual_seed(0))
    bound = math.sqrt(6 / ((6 - 2 - 1) * 1)) + 5
    torch.testing.assert_close(sent[0], torch.tensor([-bound / 2**20], dtype=torch.float64), rtol=1e-12, atol=0)
    assert bound / 2**20 < 1e-5 < bound / 2**19


@pytest.mark.parametrize("knowledge", ["full", "partial"])
@pytest.mark.parametrize("num_params", [NUM_COLUMNS + 1])
def test_agrees_with_reference_over_several_blocks(num_params, knowledge):
    updates, malicious = sample(12, 4, num_params, seed=0)
    directions, radii, _ = draws(4, num_params, seed=0)
    sent = F.krum_attack(updates, malicious, knowledge=knowledge, generator=torch.Generator().manual_seed(0))
    given = (tensor.numpy() for tensor in (updates, malicious, directions, radii))
    torch.testing.assert_close(sent, torch.tensor(reference.krum_attack(*given, knowledge)), rtol=1e-10, atol=1e-12)


def test_search_looks_closely_at_nearly_equal_benign_updates():
    """Their distances are a millionth of their length, and lambda's upper bound is hardly more than that length."""
    updates, malicious = sample(10, 3, 50, seed=0)
    updates = 1e6 + updates
    directions, radii, _ = draws(3, 50, seed=0)
    sent = F.krum_attack(updates, malicious, generator=torch.Generator().manual_seed(0))
    given = (tensor.numpy() for tensor in (updates, malicious, directions, radii))
    torch.testing.assert_close(sent, torch.tensor(reference.krum_attack(*given)), rtol=1e-9, atol=0)


def test_huge_updates_have_a_mean():
    """Their sum on the way to it is beyond float32, first at one end, then at the other."""
    own = torch.tensor([[3e38, 0.0], [3e38, 0.0], [-3e38, 0.0], [-3e38, 0.0], [-3e38, 0.0]])
    sent = F.krum_attack(own, torch.ones(5, dtype=torch.bool), knowledge="partial", generator=torch.Generator())
    assert sent[0, 0] > 0
    assert sent.isfinite().all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("knowledge", ["full", "partial"])
def test_updates_that_are_not_finite_end_the_search(bad, knowledge):
    """A step of infinite length could be halved for ever."""
    updates = torch.ones(8, 3)
    updates[[0, 7], 1] = bad
    sent = F.krum_attack(updates, torch.arange(8) < 3, knowledge=knowledge, generator=torch.Generator())
    assert torch.equal(sent[3:7], updates[3:7])
