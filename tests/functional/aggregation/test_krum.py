from functools import partial

import pytest
import reference
import torch
from hostile import federation_of, round_of

from callbacks import Bulyan, Krum, MultiKrum
from flt import functional as F
from flt.errors import InputError

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
@pytest.mark.parametrize(("num_clients", "num_byzantine"), [(2, 1), (3, 1), (10, 8), (1, 1), (5, -1), (0, 0)])
def test_too_many_byzantine_clients_are_refused(rule, num_clients, num_byzantine):
    with pytest.raises(ValueError, match=f"num_byzantine.*{num_byzantine}"):
        rule(torch.zeros(num_clients, 2), num_byzantine=num_byzantine)


@pytest.mark.parametrize(
    "rule", [F.krum, F.multi_krum, partial(F.multi_krum, iterative=True), F.bulyan], ids=["1", "m", "iterative", "B"]
)
def test_one_or_two_updates_have_a_mean(rule):
    for num_clients in (1, 2):
        updates = LINE[:num_clients]
        torch.testing.assert_close(rule(updates, num_byzantine=0), updates.mean(dim=0))


@pytest.mark.filterwarnings("ignore:a round has 2 usable updates, too few")
@pytest.mark.parametrize("rule", [Krum(), MultiKrum(), MultiKrum(iterative=True), Bulyan()])
def test_a_round_of_two_usable_updates_has_a_mean(rule):
    federation = federation_of(num_examples=torch.ones(2), malicious=torch.zeros(2, dtype=torch.bool))
    found = rule.aggregate(round_of(federation, LINE[2:4], torch.ones(1)))
    torch.testing.assert_close(found.update, LINE[2:4].mean(dim=0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_byzantine": 3}, "num_byzantine=3: iterative Multi-Krum needs"),
        ({"num_byzantine": 1, "num_selected": 4}, "num_selected=4: of 7 updates 1 to 3"),
        ({"num_byzantine": 1, "num_selected": 7, "num_neighbours": 2}, "num_selected=7: of 7 updates 1 to 6"),
        ({"num_byzantine": 1, "num_neighbours": 0}, "num_neighbours=0: an update has 1 to 6 others"),
    ],
)
def test_who_is_selected_in_turn_is_judged_by_a_neighbour(settings, message):
    with pytest.raises(InputError, match=message):
        F.multi_krum(LINE, iterative=True, **settings)
