"""That no round of a rule has a larger kappa than its published bound."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flt import functional as F

RULES = {
    "Krum": (lambda u, f: F.krum(u, num_byzantine=f), F.kappa_of_krum),
    "Krum, all honest neighbours": (
        lambda u, f: F.krum(u, num_byzantine=f, num_neighbours=len(u) - f - 1),
        lambda n, f: F.kappa_of_krum(n, f, n - f - 1),
    ),
    "Trim-mean": (lambda u, f: F.trimmed_mean(u, trim=f), F.kappa_of_trimmed_mean),
    "Median": (lambda u, f: F.median(u), F.kappa_of_median),
    "Geometric median": (lambda u, f: F.geometric_median(u), F.kappa_of_median),
    "NNM + Trim-mean": (
        lambda u, f: F.trimmed_mean(F.nearest_neighbor_mixing(u, num_byzantine=f) @ u, trim=f),
        lambda n, f: F.kappa_of_mixing(F.kappa_of_trimmed_mean(n, f), n, f),
    ),
}


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(settings.get_profile("short"), max_examples=40)
def test_no_attack_beats_the_bound(name, seed):
    """Attackers shift the honest mean, together or apart, by as much as hides them or much more."""
    rule, bound = RULES[name]
    draw = torch.Generator().manual_seed(seed)
    f, d = (int(torch.randint(1, most, (), generator=draw)) for most in (4, 5))
    n = 2 * f + int(torch.randint(2, 6, (), generator=draw))
    honest = torch.randn(n - f, d, generator=draw, dtype=torch.float64) ** int(torch.randint(1, 4, (), generator=draw))
    for length in (0.1, 0.5, 1.0, 2.0, 5.0, 1e3):
        for rows in (1, f):
            shift = honest.std(dim=0, correction=0) * torch.randn(rows, d, generator=draw, dtype=torch.float64).sign()
            updates = torch.cat([honest, (honest.mean(dim=0) + length * shift).expand(f, d)])
            kappa = F.realised_kappa(rule(updates, f), updates, torch.arange(n) < n - f)
            assert kappa <= bound(n, f) * (1 + 1e-9)


def test_bounds_by_hand():
    """Of 30 updates 6 malicious: f / (n - 2 f) is 1/3. Where half are malicious nothing holds."""
    found = F.kappa_of_trimmed_mean(30, 6), F.kappa_of_median(30, 6), F.kappa_of_krum(30, 6, 23), F.kappa_of_krum(30, 6)
    assert found == pytest.approx((8 / 3, 64 / 9, 8, 2 * 24 / 17 * (44 / 23 + 1)))
    assert F.kappa_of_mixing(2.0, 30, 6) == pytest.approx(6.0)
    assert {F.kappa_of_any(4, 2), F.kappa_of_median(4, 2), F.kappa_of_krum(4, 2)} == {math.inf}


def test_a_round_of_more_parameters_than_a_block_holds():
    updates, aggregate, honest = torch.randn(5, 9000), torch.randn(9000), torch.tensor([1, 0, 1, 1, 0]).bool()
    mean = updates[honest].double().mean(dim=0)
    expected = (aggregate - mean).square().sum() / (updates[honest] - mean).square().sum(dim=1).mean()
    assert F.realised_kappa(aggregate, updates, honest) == pytest.approx(float(expected), rel=1e-9)
    assert math.isnan(F.realised_kappa(aggregate, updates[:1], honest[:1]))  # one alone has no spread
    assert math.isnan(F.realised_kappa(aggregate, updates, honest & False))
