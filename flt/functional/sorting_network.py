"""Sorting a few long rows against each other, place by place, by comparing whole rows."""

from functools import lru_cache
from typing import Any

import numpy as np

FEW = 32
"""Rows up to which this is faster than sorting each column's values in one thread; half as many with two threads.

It runs in one thread: several would wait for the interpreter longer than a comparison takes.
"""


def ordered_rows(rows: Any, places: range) -> list[Any]:
    """Of each column's values in order, those at some places: ``len(places)`` arrays of shape ``[num_columns]``.

    A NaN in a column makes all of them NaN there.

    Args:
        rows: NumPy array of shape ``[num_rows, num_columns]``; it is left as it is.
        places: Which of the values in order are wanted, from 0 for the smallest.

    Example:
        >>> [row.tolist() for row in ordered_rows(np.array([[3.0, 1.0], [1.0, 5.0], [2.0, 4.0]]), range(1, 3))]
        [[2.0, 4.0], [3.0, 5.0]]
    """
    wires = list(np.array(rows, order="C"))
    spare = np.empty_like(wires[0])
    for low, high, is_low_read, is_high_read in _comparisons(len(wires), places):
        if is_low_read and is_high_read:
            np.minimum(wires[low], wires[high], out=spare)
            np.maximum(wires[low], wires[high], out=wires[high])
            wires[low], spare = spare, wires[low]
        elif is_low_read:
            np.minimum(wires[low], wires[high], out=wires[low])
        else:
            np.maximum(wires[low], wires[high], out=wires[high])
    return [wires[place] for place in places]


def mean_of_rows(rows: list[Any]) -> Any:
    """Mean of arrays of shape ``[num_columns]``, at most 128, with the bits of NumPy's along a contiguous axis.

    NumPy adds up a few values one after the other, eight or more in eight partial sums. So a mean does not depend on
    how the values that it is taken of were put in order.
    """
    if len(rows) < 8:
        total, rest = rows[0].copy(), rows[1:]
    else:
        whole = len(rows) // 8 * 8
        parts = [row.copy() for row in rows[:8]]
        for place in range(8, whole):
            parts[place % 8] += rows[place]
        total = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ((parts[4] + parts[5]) + (parts[6] + parts[7]))
        rest = rows[whole:]
    for row in rest:
        total += row
    return total / total.dtype.type(len(rows))


@lru_cache
def _comparisons(num_rows: int, places: range) -> tuple[tuple[int, int, bool, bool], ...]:
    """Pairs of rows to put in order one after the other, and whether the lower and the higher are looked at again.

    Batcher's merge exchange: Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M; without comparisons
    that no value at ``places`` depends on.
    """
    largest = 1 << max(0, (num_rows - 1).bit_length() - 1)
    pairs, step = [], largest
    while step:
        part, remainder, distance = largest, 0, step
        while True:
            pairs += [(low, low + distance) for low in range(num_rows - distance) if low & step == remainder]
            if part == step:
                break
            distance, part, remainder = part - step, part // 2, step
        step //= 2
    read, kept = set(places), []
    for low, high in reversed(pairs):
        if low in read or high in read:
            kept.append((low, high, low in read, high in read))
            read |= {low, high}
    return tuple(reversed(kept))
