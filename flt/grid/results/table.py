"""A grid's table as such: the means of its cells, and the worst of each line of them."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flt.grid.plan.naming import WORST
from flt.grid.plan.outline import Labels, Outline
from flt.grid.plan.scale import Scale
from flt.grid.results.rows import Row, Value, values_of

Place = tuple[int, int]  # row and column


class Entry(NamedTuple):
    """What stands at one place of a table.

    Attributes:
        labels: The levels that it is of.
        values: Its measures.
        levels: Of the worst: the level that each measure's largest mean comes from.
        runner_up: Of the worst: the level with the second largest mean of the first measure, and that mean.
    """

    labels: Labels
    values: Mapping[str, Value]
    levels: Mapping[str, str] = {}
    runner_up: tuple[str, float] | None = None

    def second(self, scale: Scale) -> str:
        """The runner-up in words, on the first measure's scale; nothing where there is none."""
        return "" if self.runner_up is None else f"then {scale.measured(self.runner_up[1])} {self.runner_up[0]}"


class Body(NamedTuple):
    """One table: the labels of its rows and columns, and what stands where they meet."""

    rows: list[str]
    columns: list[str | None]
    entries: dict[Place, Entry]


def body_of(outline: Outline, rows: Sequence[Row], panel: Labels) -> Body:
    """The table of a panel, with a last column or row for the worst where the outline names an axis for it."""
    levels, columns = list(outline.axes[outline.rows]), outline.column_labels
    entries = {
        (y, x): Entry(labels, values_of(rows, labels, outline.shown))
        for y, row in enumerate(levels)
        for x, column in enumerate(columns)
        for labels in [outline.labels_at(panel, row, column)]
    }
    down, across = range(len(levels)), range(len(columns))
    if outline.worst == outline.rows:
        entries |= {(len(levels), x): worst_of([entries[y, x] for y in down], outline.rows) for x in across}
        levels.append(WORST)
    elif outline.worst is not None:
        entries |= {(y, len(columns)): worst_of([entries[y, x] for x in across], outline.worst) for y in down}
        columns.append(WORST)
    return Body(levels, columns, entries)


def worst_of(entries: Sequence[Entry], axis: str) -> Entry:
    """The largest mean of each measure along an axis, whose it is, and the runner-up; of equals the first.

    The reference's value beside it is the largest of the reference.

    Args:
        entries: What stands at each level of the axis; a level without a finished run has no measures.
        axis: The axis.
    """
    values, levels, runner_up = dict[str, Value](), dict[str, str](), None
    for measure in dict.fromkeys(name for entry in entries for name in entry.values):
        found = [(entry.values[measure], entry.labels[axis]) for entry in entries if measure in entry.values]
        found.sort(key=lambda pair: -pair[0].mean)
        (worst, levels[measure]), *others = found
        published = max((value.published for value, _ in found if value.published is not None), default=None)
        values[measure] = Value(worst.mean, worst.spread, published)
        if len(values) == 1 and others:
            runner_up = others[0][1], others[0][0].mean
    labels = {column: label for column, label in entries[0].labels.items() if column != axis}
    return Entry(labels, values, levels, runner_up)


def with_places(outline: Outline, rows: Sequence[Row]) -> list[Row]:
    """Rows with a column ``worst``: the place of a row's level among those of its line, 1 for the worst.

    Places go by the mean of the first measure over the seeds; without an axis for the worst, rows stay as they are.
    """
    axis, measure = outline.worst, outline.shown[0]
    if axis is None:
        return list(rows)
    others = [column for column in outline.axes if column != axis]
    numbers: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for row in rows:
        if row.get(measure) is not None:
            line = numbers.setdefault(tuple(row[column] for column in others), {})
            line.setdefault(row[axis], []).append(row[measure])
    places = dict[tuple[str, ...], dict[str, int]]()
    for key, line in numbers.items():
        ordered = sorted(line, key=lambda label: -statistics.mean(line[label]))
        places[key] = {label: place for place, label in enumerate(ordered, 1)}
    return [{**row, WORST: places.get(tuple(row[name] for name in others), {}).get(row[axis])} for row in rows]
