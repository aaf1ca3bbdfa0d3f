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
        label: The smallest level with a mean beyond its bound; None if there is none.
        last: The largest level that was measured and has a bound; None if none has.
    """

    label: str | None
    last: str | None

    @property
    def number(self) -> float | None:
        """The smallest level with a mean beyond the bound."""
        return None if self.label is None else float(self.label)

    @property
    def text(self) -> str:
        """The point for people: ``> 0.9`` where a line holds up to its end."""
        return self.label or ("-" if self.last is None else f"> {self.last}")


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

    bounds = {label: bound for label in sorted(line, key=float) if (bound := bound_of(label)) is not None}
    beyond = [label for label, bound in bounds.items() if line[label] > bound]
    return Point(next(iter(beyond), None), next(reversed(bounds), None))


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
