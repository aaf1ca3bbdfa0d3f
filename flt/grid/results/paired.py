"""A paired test of two settings that were run with the same seeds."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST_EXACT = 20  # seeds up to which all signs are tried: half a million sums
DRAWS = 100_000  # of signs, where there are more seeds


class Paired(NamedTuple):
    """The differences between two settings over the seeds.

    Attributes:
        difference: Their mean.
        low: Lower end of the mean's confidence interval.
        high: Upper end.
        p: How often differences with random signs have a mean as far from 0.
        num_seeds: How many differences there are.
    """

    difference: float
    low: float
    high: float
    p: float
    num_seeds: int


def paired_test(differences: Sequence[float], *, level: float = 0.05) -> Paired:
    """Tests whether two settings differ, by the differences between their runs with the same seeds.

    p is that of the sign-flip test, which is exact up to 20 seeds and assumes no distribution: if the settings were
    alike, each difference could as well have the other sign. The interval is Student's, mean +- t s / sqrt(n), which
    assumes normal differences: with few seeds it may leave 0 out although no p could be small.

    Args:
        differences: One for each seed, at least two.
        level: One minus the level of the confidence interval.

    Example:
        >>> test = paired_test([0.1, 0.2, 0.3])
        >>> round(test.difference, 3), round(test.low, 3), round(test.high, 3), test.p
        (0.2, -0.048, 0.448, 0.25)
    """
    given = np.asarray(differences, dtype=float)
    half = t_quantile(1 - level / 2, len(given) - 1) * float(given.std(ddof=1)) / math.sqrt(len(given))
    mean = float(given.mean())
    return Paired(mean, mean - half, mean + half, _sign_flip_p(given), len(given))


def smallest_p(num_seeds: int) -> float:
    """The smallest p that the test of so many differences can give.

    Example:
        >>> smallest_p(3)
        0.25
    """
    return 2.0 ** (1 - num_seeds) if num_seeds <= MOST_EXACT else 1 / (DRAWS + 1)


def _sign_flip_p(given: np.ndarray) -> float:
    reached = abs(given.sum()) - 1e-12 * np.abs(given).sum()  # equal sums may differ in their last digit
    if len(given) > MOST_EXACT:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (DRAWS, len(given)))
        return float((np.count_nonzero(np.abs(signs @ given) >= reached) + 1) / (DRAWS + 1))
    sums = given[:1]  # whose sign may stay, as all others are turned as well
    for difference in given[1:]:
        sums = np.concatenate([sums + difference, sums - difference])
    return float(np.mean(np.abs(sums) >= reached))


def t_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution, for a probability of at least one half.

    The distribution within -t and t is a finite sum in theta = atan(t / sqrt(degrees)); it is inverted by bisection.

    Reference: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Example:
        >>> round(t_quantile(0.975, 2), 4)
        4.3027
    """
    low, high = 0.0, math.pi / 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < 2 * probability - 1 else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _within(theta: float, degrees: int) -> float:
    """The probability within -t and t, where theta = atan(t / sqrt(degrees))."""
    first, total = degrees % 2, 0.0
    term = math.cos(theta) if first else 1.0
    for power in range(first, degrees - 1, 2):
        total += term
        term *= math.cos(theta) ** 2 * (power + 1) / (power + 2)
    inner = math.sin(theta) * total
    return 2 / math.pi * (theta + inner) if first else inner
