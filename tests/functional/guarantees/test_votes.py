"""Certificates of votes against every way in which malicious clients could turn the models that they reach."""

from itertools import combinations, product
from math import comb

import pytest
import torch
from scipy.stats import beta

from flt import functional as F


def attacked(votes_of_groups: tuple[int, ...], turned: tuple[int, ...], label: int, num_classes: int) -> bool:
    """Whether models of the groups in ``turned``, which may vote for anything, can make another class win."""
    for new in product(range(num_classes), repeat=len(turned)):
        given = dict(zip(turned, new, strict=True))
        cast = [given.get(group, vote) for group, vote in enumerate(votes_of_groups)]
        if max(range(num_classes), key=lambda label: (cast.count(label), -label)) != label:
            return True
    return False


def withstood(votes_of_groups, members, num_clients, num_classes):
    """The most malicious clients that cannot change the winner, by trying all sets of them."""
    first = max(range(num_classes), key=lambda label: (votes_of_groups.count(label), -label))
    for number in range(1, num_clients + 1):
        for bad in combinations(range(num_clients), number):
            turned = tuple(group for group, of in enumerate(members) if {*of} & {*bad})
            if attacked(votes_of_groups, turned, first, num_classes):
                return number - 1
    return num_clients


@pytest.mark.parametrize("num_groups", [1, 4, 5])
def test_groups_that_share_nobody_are_certified_exactly(num_groups):
    members, cast = [(group,) for group in range(num_groups)], list(product(range(3), repeat=num_groups))
    votes = F.count_votes(torch.tensor(cast).T, 3)
    expected = [withstood(each, members, num_groups, 3) for each in cast]
    assert F.certified_by_groups(votes).tolist() == expected


def test_all_groups_are_certified_soundly():
    """No attack is missed; how far one client's groups can be turned depends on who voted how, which a count hides."""
    members = list(combinations(range(4), 2))
    cast = list(product(range(2), repeat=6))
    votes = F.count_votes(torch.tensor(cast).T, 2)
    certified = F.certified_by_all(votes, num_clients=4, clients_per_model=2)
    found = torch.tensor([withstood(each, members, 4, 2) for each in cast])
    assert (certified <= found).all()
    alone = F.count_votes(torch.tensor(list(product(range(3), repeat=5))).T, 3)
    single = F.certified_by_all(alone, num_clients=5, clients_per_model=1)
    assert single.equal(F.certified_by_groups(alone))  # groups of one client share nobody


@pytest.mark.parametrize(("count", "draws", "error"), [(100, 100, 2e-7), (73, 100, 1e-4), (1, 5, 0.3)])
def test_the_lower_bound_is_that_of_clopper_and_pearson(count, draws, error):
    assert F.least_share(count, draws, error) == pytest.approx(beta.ppf(error, count, draws - count + 1), rel=1e-8)


def test_a_sample_certifies_what_the_papers_condition_does():
    """``p_y - p_z > 2 - 2 C(n - m, k) / C(n, k)``, both rounded to shares of groups; label 0 wins ties as well."""
    counts = torch.arange(40, 101)
    votes = torch.stack([100 - counts, counts], dim=1)
    found = F.certified_by_sample(votes, num_clients=30, clients_per_model=3, alpha=0.01).tolist()
    total = comb(30, 3)
    for count, most in zip(counts.tolist(), found, strict=True):
        low = beta.ppf(0.01 / (2 * 61), max(count, 100 - count), 101 - max(count, 100 - count))
        sure = -int(-low * total // 1)
        levels = [m for m in range(28) if 2 * sure - total > 2 * total - 2 * comb(30 - m, 3)]
        assert most == (max(levels) if levels else -1)


def test_a_sample_certifies_less_where_a_tie_goes_to_another_label():
    """Three of four clients vote for the label of either example; one that changes its mind makes it a tie."""
    votes = torch.tensor([[80, 20], [20, 80]])
    assert F.certified_by_sample(votes, num_clients=4, clients_per_model=1, alpha=0.01).tolist() == [1, 0]


def test_a_sample_is_rarely_wrong():
    """The label of a share of 0.55 is uncertain: no more than alpha of many samples may claim what does not hold."""
    draws = torch.binomial(torch.full((4000,), 50.0), torch.tensor(0.55), generator=torch.Generator().manual_seed(0))
    wrong = sum(
        int(F.certified_by_sample(torch.tensor([[50 - hits, hits]]), num_clients=9, clients_per_model=2, alpha=0.2)[0])
        >= (1 if hits > 25 else 0)  # of 36 groups 20 are for it, and one client is in 8
        for hits in draws.long().tolist()
    )
    assert 0 < wrong < 0.2 * 4000


def test_certified_accuracy_counts_what_is_right_and_withstands():
    shares = F.certified_shares(torch.tensor([-1, 0, 2, 2]), torch.tensor([True, True, True, False]))
    assert shares == [0.5, 0.25, 0.25, 0.0]
    assert F.certified_shares(torch.tensor([-1]), torch.tensor([True])) == [0.0]
