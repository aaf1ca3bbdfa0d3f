import pytest
import reference
import torch

from flt import functional as F
from flt.functional.blocks import NUM_COLUMNS

# One coordinate per case; the mean over all four clients is negative, negative, positive, positive.
BENIGN = torch.tensor([[1.0, -3.0, 1.0, -4.0], [2.0, -2.0, 6.0, 1.0], [1.5, -2.5, 2.0, -3.0]])
ATTACKER = torch.tensor([[-90.0, -1.0, 0.5, 90.0]])
UPDATES, MALICIOUS = torch.cat([BENIGN, ATTACKER]), torch.tensor([False, False, False, True])


def sample(num_clients, num_malicious, num_params, seed, dtype=torch.float64):
    updates, _ = reference.sample_updates(num_clients, num_params, seed)
    malicious = torch.zeros(num_clients, dtype=torch.bool)
    malicious[torch.randperm(num_clients, generator=torch.Generator().manual_seed(seed))[:num_malicious]] = True
    return torch.tensor(updates, dtype=dtype), malicious


def test_worked_by_hand():
    draw = torch.rand(1, 4, generator=torch.Generator().manual_seed(0))
    low = torch.tensor([[2.0, -2.0, 0.5, -8.0]])  # max, max, min/2, 2*min of the benign columns
    high = torch.tensor([[4.0, -1.0, 1.0, -4.0]])  # 2*max, max/2, min, min
    sent = F.trim_attack(UPDATES, MALICIOUS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sent[MALICIOUS], low + (high - low) * draw)


def test_zero_mean_counts_as_rising():
    updates = torch.tensor([[-1.0], [1.0], [0.0]])
    sent = F.trim_attack(updates, torch.tensor([False, False, True]), generator=torch.Generator().manual_seed(0))
    assert -2 <= sent[2, 0] <= -1


def test_partial_knowledge_by_hand():
    """Own values 1, 3 (mean 2, population deviation 1) and -1, -3; the sample deviation would be 1.41."""
    updates = torch.tensor([[1.0, -1.0], [3.0, -3.0], [70.0, 70.0]])
    malicious = torch.tensor([True, True, False])
    draws = torch.rand(2, 2, generator=torch.Generator().manual_seed(0))
    sent = F.trim_attack(updates, malicious, knowledge="partial", generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sent[malicious], torch.tensor([-2.0, 1.0]) + draws)  # [2-4, 2-3] and [-2+3, -2+4]


@pytest.mark.parametrize("knowledge", ["full", "partial"])
@pytest.mark.parametrize("num_params", [0, 1, NUM_COLUMNS, NUM_COLUMNS + 1])
def test_any_number_of_parameters(num_params, knowledge):
    updates, malicious = sample(5, 2, num_params, seed=0, dtype=torch.float32)
    draws = torch.rand(2, num_params, generator=torch.Generator().manual_seed(0))
    arrays = updates.double().numpy(), malicious.numpy(), draws.double().numpy()
    expected = torch.tensor(reference.trim_attack(*arrays, knowledge)).float()
    sent = F.trim_attack(updates, malicious, knowledge=knowledge, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sent, expected, rtol=1e-5, atol=1e-5)


def test_own_updates_of_huge_deviation_stay_finite():
    """The square of 1e25 is infinite in float32."""
    updates = torch.tensor([[1e25], [-1e25], [0.0]])
    sent = F.trim_attack(updates, torch.tensor([True, True, False]), knowledge="partial")
    assert ((sent[:2] >= -4.01e25) & (sent[:2] <= -2.99e25)).all()


@pytest.mark.parametrize("knowledge", ["full", "partial"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_intervals_end_where_float32_does(knowledge, sign):
    """An end at infinity would make a NaN of every draw."""
    updates = sign * 3e38 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, -1.0], [1.0, 0.1]])
    sent = F.trim_attack(updates, torch.arange(4) < 2, knowledge=knowledge, generator=torch.Generator())
    assert sent.isfinite().all()
