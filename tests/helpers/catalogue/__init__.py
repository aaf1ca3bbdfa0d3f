"""One table of rules and one of attacks, which every general test and the benchmark of rules read.

A new rule or attack is tested by its row. The tables lie beside the references, on pytest's path: with ``tests/``
itself there, ``import callbacks`` and ``import data`` would find the folders of tests.
"""

import zlib
from collections.abc import Sequence
from typing import TypeVar

from catalogue import attacks, baselines, bounding, detection, root, selection
from catalogue.attacks import scheduled
from catalogue.row import EXAMPLE, EXAMPLE_ROOT, Attack, Draws, Golden, Rule, Sent

__all__ = [
    "ATTACKS",
    "EXAMPLE",
    "EXAMPLE_ROOT",
    "PAIRS",
    "RULES",
    "Attack",
    "Draws",
    "Golden",
    "Rule",
    "Sent",
    "cover",
    "partner",
]

RULES = [*baselines.RULES, *selection.RULES, *bounding.RULES, *detection.RULES, *root.RULES]
ATTACKS = [*attacks.ATTACKS]

First, Second = TypeVar("First"), TypeVar("Second")


def cover(first: Sequence[First], second: Sequence[Second]) -> list[tuple[First, Second]]:
    """Pairs of two tables in which each row of both is met, as many as the longer table has rows.

    Example:
        >>> cover("abc", "xy")
        [('a', 'x'), ('b', 'y'), ('c', 'x')]
    """
    return [(first[k % len(first)], second[k % len(second)]) for k in range(max(len(first), len(second)))]


def partner(name: str, others: Sequence[Second]) -> Second:
    """One of the rows of another table, which stays the same when this table gets more rows.

    Example:
        >>> partner("FedAvg", "xyz")
        'x'
    """
    return others[zlib.crc32(name.encode()) % len(others)]


PAIRS = cover(RULES, [*ATTACKS, *scheduled.ATTACKS])
