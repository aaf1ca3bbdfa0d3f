"""Where rules break: the smallest level of an axis at which a measure exceeds a bound."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import product
from typing import NamedTuple

from flt.grid.plan.outline import Labels, Outline
from flt.grid.results.rows import Row, by_cell

Means = dict[tuple[str, ...], float]
"""Mean of the first measure over the seeds, by the label of each axis."""


class Point(NamedTuple):
    """Where a line of cells breaks.

    Attributes:
        label: The smallest level with a mean that is known to be beyond its bound; None if there is none.
        last: The level up to which all are known to be within their bounds, from the smallest one on; None if that
            one is not.
        is_first: Whether all levels before ``label`` are.
    """

    label: str | None
    last: str | None
    is_first: bool = True

    @property
    def number(self) -> float | None:
        """The smallest level with a mean that is known to be beyond the bound."""
        return None if self.label is None else float(self.label)

    @property
    def text(self) -> str:
        """The point for people: ``> 0.9`` where a line holds so far, ``<= 0.9`` where levels before are not known."""
        if self.label is None:
            return "-" if self.last is None else f"> {self.last}"
        return self.label if self.is_first else f"<= {self.label}"


def means_of(outline: Outline, rows: Sequence[Row]) -> Means:
    """The means of a grid's cells."""
    measure = outline.shown[0]
    cells = by_cell((row for row in rows if row.get(measure) is not None), outline.axes)
    return {labels: statistics.mean(row[measure] for row in found) for labels, found in cells.items()}


def point_of(outline: Outline, means: Means, labels: Labels, line: Mapping[str, float]) -> Point:
    """Where a line breaks.

    Args:
        outline: The grid's outline, which names the axis and the bound.
        means: The means of all cells, which a bound may be relative to.
        labels: The levels of the line's other axes.
        line: The line's means by the labels of the axis.
    """
    breaks = outline.breaks
    assert breaks is not None

    def bound_of(label: str) -> float | None:
        if breaks.than is None:
            return breaks.at
        if breaks.than in outline.axes[breaks.axis]:
            other = line.get(breaks.than)
        else:
            beside = breaks.beside({**labels, breaks.axis: label}, outline.axes)
            other = means.get(tuple(beside.get(axis, "") for axis in outline.axes))
        return None if other is None else other + breaks.at

    last, is_known = None, True
    for label in sorted(outline.axes[breaks.axis], key=float):
        bound = bound_of(label) if label in line else None
        if bound is not None and line[label] > bound:
            return Point(label, last, is_known)
        is_known = is_known and bound is not None
        last = label if is_known else last
    return Point(None, last)


def points_of(outline: Outline, rows: Sequence[Row]) -> dict[tuple[str, ...], Point]:
    """Where each line of a grid breaks, by the labels of its other axes; nothing if the outline has no bound."""
    if outline.breaks is None:
        return {}
    means, axis = means_of(outline, rows), outline.breaks.axis
    others = {name: labels for name, labels in outline.axes.items() if name != axis}
    points = {}
    for key in product(*others.values()):
        labels = dict(zip(others, key, strict=True))
        cells = {label: tuple({**labels, axis: label}[name] for name in outline.axes) for label in outline.axes[axis]}
        line = {label: means[cell] for label, cell in cells.items() if cell in means}
        points[key] = point_of(outline, means, labels, line)
    return points
