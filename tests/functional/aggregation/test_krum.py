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
