import pytest
import reference
import torch

from flt import functional as F

# Krum (f = 1, so 4 nearest others) picks the point 3, with score 4 + 9 + 16 + 25 = 54. A wrong rule picks another:
# unsquared distances 8, all others instead of the nearest 7, n-f-3 nearest 10, n-f-1 nearest 7.
LINE = torch.tensor([[0.0], [1.0], [3.0], [7.0], [8.0], [10.0], [13.0]])


def test_scores_worked_by_hand():
    expected = torch.tensor([123.0, 90.0, 54.0, 62.0, 55.0, 71.0, 170.0])
    torch.testing.assert_close(F.krum_scores(LINE, num_byzantine=1).float(), expected)


def test_picks_by_squared_distances_to_the_nearest_others():
    assert int(F.krum_select(LINE, num_byzantine=1)) == 2
    torch.testing.assert_close(F.krum(LINE, num_byzantine=1), torch.tensor([3.0]))


# Distances are sums of up to 40 squares of order one to ten.
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("num_clients", "num_byzantine"), [(3, 0), (4, 1), (5, 1), (9, 3), (20, 4), (20, 17)])
def test_scores_agree_with_reference(num_clients, num_byzantine, dtype, rtol):
    for seed in range(3):
        updates = torch.tensor(reference.sample_updates(num_clients, 40, seed)[0], dtype=dtype)
        expected = reference.krum_scores(updates.double().numpy(), num_byzantine)
        actual = F.krum_scores(updates, num_byzantine=num_byzantine)
        torch.testing.assert_close(actual.double(), torch.tensor(expected), rtol=rtol, atol=0)


def test_select_names_the_row_that_krum_returns():
    updates = torch.tensor(reference.sample_updates(9, 4, seed=3)[0])
    picked = updates[F.krum_select(updates, num_byzantine=2)].reshape(-1)
    torch.testing.assert_close(F.krum(updates, num_byzantine=2), picked, rtol=0, atol=0)


def test_far_colluders_are_not_picked():
    """A tight minority of f clients is never its own n-f-2 neighbours."""
    updates = torch.tensor(reference.sample_updates(9, 4, seed=0)[0])
    updates[[0, 4, 8]] = 100.0
    assert int(F.krum_select(updates, num_byzantine=3)) not in (0, 4, 8)


def test_huge_client_does_not_open_the_door_for_another():
    """With every distance but its own lost to rounding, one attacker would have Krum pick the second."""
    for seed in range(10):
        updates = torch.tensor(reference.sample_updates(11, 50, seed)[0])
        updates[0] *= 1e12
        updates[1] *= 20
        expected = int(reference.krum_scores(updates.numpy(), 2).argmin())
        assert expected not in (0, 1)
        assert int(F.krum_select(updates, num_byzantine=2)) == expected


@pytest.mark.parametrize("rule", [F.krum, F.krum_scores, F.krum_select])
@pytest.mark.parametrize(("num_clients", "num_byzantine"), [(2, 0), (3, 1), (10, 8), (1, 0), (5, -1)])
def test_too_many_byzantine_clients_are_refused(rule, num_clients, num_byzantine):
    with pytest.raises(ValueError, match=f"num_byzantine.*{num_byzantine}"):
        rule(torch.zeros(num_clients, 2), num_byzantine=num_byzantine)
