"""The paired test, against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from flt.grid.results import paired
from flt.grid.results.paired import paired_test, smallest_p, t_quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 8, 29])
def test_quantiles(degrees: int) -> None:
    at = [0.75, 0.975, 0.9995]
    assert [t_quantile(each, degrees) for each in at] == pytest.approx(stats.t.ppf(at, degrees), rel=1e-9)


@pytest.mark.parametrize("num_seeds", [2, 3, 6, 9])
def test_against_scipy(num_seeds: int) -> None:
    given = np.random.default_rng(num_seeds).normal(0.3, 1, num_seeds)
    made = paired_test(list(given), level=0.1)
    exact = stats.permutation_test((given,), np.mean, permutation_type="samples", n_resamples=np.inf)
    low, high = stats.t.interval(0.9, num_seeds - 1, given.mean(), stats.sem(given))
    assert made == pytest.approx((given.mean(), low, high, exact.pvalue, num_seeds), rel=1e-9)


def test_ends() -> None:
    """Alike everywhere; all on one side, which few seeds cannot show; equal sums whatever their rounding."""
    assert paired_test([0.0, 0.0]) == (0, 0, 0, 1, 2)
    assert [paired_test([0.1, 0.2, 0.3, 0.4][:n]).p for n in (2, 3, 4)] == [smallest_p(n) for n in (2, 3, 4)]
    assert paired_test([0.1, 0.2, -0.3, 0.3]).p == 1 - 4 / 16  # |sum| 0.3 or more, by hand: 12 of 16 signs


def test_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    given = list(np.random.default_rng(1).normal(0.3, 1, 12))
    exact = paired_test(given).p
    monkeypatch.setattr(paired, "MOST_EXACT", 11)
    drawn = paired_test(given).p
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=5 * (exact / paired.DRAWS) ** 0.5)
    assert paired_test([1.0] * 30).p == smallest_p(30) == 1 / (paired.DRAWS + 1)
