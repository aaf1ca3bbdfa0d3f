"""How a fuzzed aggregate is held against its reference in float64, as closely as rounding in float32 allows.

Each function gets the rule's row of the table, the aggregate, the updates, the root update, the sizes of the clients'
data and the number of malicious clients to tolerate.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import reference

SMALLEST = 1e-42  # below which a product of float32 has no digits
ROUNDING = 1e-6  # of the largest number in a sum of up to a dozen in float32: some ten units in the last place
NO_LENGTH = 1e-36  # a vector this short is all rounding in float32


def entries(
    rule: Any,
    found: np.ndarray,
    rows: np.ndarray,
    root: np.ndarray,
    sizes: np.ndarray,
    f: int,
    *,
    trimmed: Callable[[int, int], int] = lambda num_clients, f: 0,
    longest: float | None = None,
) -> None:
    """Entry by entry, up to the rounding of the largest number in the sum.

    ``trimmed`` says how many numbers at each end of a coordinate are not in it, given the number of clients and f;
    ``longest`` to what length updates are shortened before.
    """
    trim = trimmed(len(rows), f)
    largest = np.abs(np.sort(rows, axis=0)[trim : len(rows) - trim]).max(axis=0) if longest is None else longest
    expected = rule.reference(rows, root, sizes, f)
    assert (np.abs(found - expected) <= ROUNDING * largest + SMALLEST).all(), (found, expected)


def medium(rule: Any, found: np.ndarray, rows: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> None:
    """Entry by entry, up to the rounding of updates that are shortened to their median length."""
    longest = float(np.median(np.linalg.norm(rows, axis=1)))
    entries(rule, found, rows, root, sizes, f, longest=longest)


def rescaled(rule: Any, found: np.ndarray, rows: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> None:
    """Entry by entry, up to the rounding of updates of the median length; by it alone where float32 has no factor."""
    lengths = np.linalg.norm(rows, axis=1)
    lengths = lengths[lengths > 0]
    longest = float(np.median(lengths)) if len(lengths) else 0.0
    if (lengths < NO_LENGTH).any() or (longest > 1e37 * lengths).any() or (longest < 1e-37 * lengths).any():
        assert (np.abs(found) <= longest * (1 + ROUNDING) + SMALLEST).all()
    else:
        entries(rule, found, rows, root, sizes, f, longest=longest)


def no_longer(
    rule: Any,
    found: np.ndarray,
    rows: np.ndarray,
    root: np.ndarray,
    sizes: np.ndarray,
    f: int,
    *,
    longest: float | None = None,
) -> None:
    """Only by its length, which is at most that of the root update, or ``longest``."""
    bound = np.linalg.norm(root) if longest is None else longest
    assert not found.any() or np.linalg.norm(found) <= bound * (1 + ROUNDING) + SMALLEST


def bounded(
    rule: Any,
    found: np.ndarray,
    rows: np.ndarray,
    root: np.ndarray,
    sizes: np.ndarray,
    f: int,
    *,
    or_zero: bool = False,
) -> None:
    """Only by the range of the updates, coordinate by coordinate; ``or_zero`` where everyone may be dropped."""
    if or_zero and not found.any():
        return
    slack = ROUNDING * np.abs(rows).max(axis=0) + SMALLEST
    assert (rows.min(axis=0) - slack <= found).all()
    assert (found <= rows.max(axis=0) + slack).all()


def shrunk(rule: Any, found: np.ndarray, rows: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> None:
    """Only by the range of the updates and zero: small differences of them decide who counts."""
    bounded(rule, found, np.vstack([rows, np.zeros_like(root)]), root, sizes, f)


def as_root(rule: Any, found: np.ndarray, rows: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> None:
    """Only by the length of the root update: small differences of angles decide who counts."""
    assert np.linalg.norm(found) <= np.linalg.norm(root) * (1 + ROUNDING) + SMALLEST * len(root)


def selection(rule: Any, found: np.ndarray, rows: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> None:
    """It is one of the updates, and its Krum score is the least, but for rounding in float64; or the mean of two."""
    if len(rows) < 3:
        np.testing.assert_allclose(found, rows.mean(axis=0), rtol=0, atol=ROUNDING * np.abs(rows).max() + SMALLEST)
        return
    (same,) = (rows == found).all(axis=1).nonzero()
    assert len(same)
    scores = reference.krum_scores(rows, f)
    # Distances are taken from inner products of what is left of the updates without the shortest one.
    lengths = (rows**2).sum(axis=1)
    blur = 1e-14 * len(rows) * (lengths[same[0]] + lengths[scores.argmin()])
    assert scores[same[0]] <= scores.min() * (1 + 1e-9) + blur, scores


def trust(
    rule: Any,
    found: np.ndarray,
    rows: np.ndarray,
    root: np.ndarray,
    sizes: np.ndarray,
    f: int,
    *,
    score: str = "relu",
    magnitude: str = "root",
    include_root: bool = False,
    least_cosine: float = 0.0,
) -> None:
    """As far as the sum of trust scores allows, which rounding of each of them counts against."""
    root_norm = np.linalg.norm(root)
    if root_norm < NO_LENGTH:
        return
    if score == "relu" and magnitude != "own":
        assert np.linalg.norm(found) <= root_norm * (1 + ROUNDING)
    lengths = np.linalg.norm(rows, axis=1)
    if root_norm < 1e-10 and ((lengths > 0) & (lengths < NO_LENGTH)).any():
        return
    rows = np.where(lengths[:, None] < NO_LENGTH, 0.0, rows)  # as good as zero beside such a root update
    total = abs(rule.trust(rows, root).sum() + include_root)
    if total > 1e-3:
        # Where negative scores all but cancel the total, the mean is longer than what it is a mean of, and so is
        # its error.
        blown_up = min(total, 1.0) ** (2 if score == "signed" else 1) * (1.0 - least_cosine)
        longest = lengths.max() if magnitude == "own" else root_norm
        tolerance = 0.0 if score == "none" else ROUNDING * longest * len(rows) / blown_up
        expected = rule.reference(rows, root, sizes, f)
        assert (np.abs(found - expected) <= tolerance).all(), (found, expected)
