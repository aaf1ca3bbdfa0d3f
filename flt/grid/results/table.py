"""A grid's table as such: the means of its cells, and the worst of each line of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from flt.grid.plan.findings import Compare
from flt.grid.plan.naming import BREAKS_AT, WORST, readable
from flt.grid.plan.outline import Labels, Outline
from flt.grid.plan.reference import SPREAD
from flt.grid.plan.scale import Scale
from flt.grid.results.breaking import Means, Point, means_of, point_of
from flt.grid.results.paired import Paired, paired_test
from flt.grid.results.rows import ERROR, OF_WORST, Row, Value, by_cell, rows_at, values_of

Place = tuple[int, int]  # row and column


class Entry(NamedTuple):
    """What stands at one place of a table.

    Attributes:
        labels: The levels that it is of.
        values: Its measures.
        levels: Of the worst: the level that each measure's largest mean comes from.
        runner_up: Of the worst: the level with the second largest mean of the first measure, and that mean.
        known: Of the worst: how many levels have the first measure, of how many; None where all have.
        by_seed: The first measure of each seed.
        test: The first measure against that of another level with the same seeds; None where nothing is compared.
        point: Where a line of cells breaks; None where a cell stands.
    """

    labels: Labels
    values: Mapping[str, Value]
    levels: Mapping[str, str] = {}
    runner_up: tuple[str, float] | None = None
    known: tuple[int, int] | None = None
    by_seed: Mapping[float, float] = {}
    test: Paired | None = None
    point: Point | None = None

    def aside(self, scale: Scale) -> str:
        """The runner-up in words, on the first measure's scale, and how many levels are known where some are not."""
        second = "" if self.runner_up is None else f"then {scale.measured(self.runner_up[1])} {self.runner_up[0]}"
        known = "" if self.known is None else f"{self.known[0]} of {self.known[1]} measured"
        return "; ".join(filter(None, (second, known)))


class Body(NamedTuple):
    """One table: the labels of its rows and columns, and what stands where they meet."""

    rows: list[str]
    columns: list[str | None]
    entries: dict[Place, Entry]


def body_of(outline: Outline, rows: Sequence[Row], panel: Labels) -> Body:
    """The table of a panel, with a last column or row for the worst, and for where rules break, as the outline asks."""
    cells = by_cell(rows, outline.axes)
    entries = {
        (y, x): _entry(outline, cells, outline.labels_at(panel, label, column))
        for y, label in enumerate(outline.axes[outline.rows])
        for x, column in enumerate(outline.column_labels)
    }
    body, worst = Body(list(outline.axes[outline.rows]), outline.column_labels, entries), outline.worst
    if worst is not None:
        body = _with_last(body, WORST, lambda line: worst_of(line, worst, rows), as_row=worst == outline.rows)
    if outline.compare is not None:
        body = _tested(outline, outline.compare, body)
    if outline.breaks is not None and outline.breaks.axis in (outline.rows, outline.columns):
        means, as_row = means_of(outline, rows), outline.breaks.axis == outline.rows
        body = _with_last(body, BREAKS_AT, lambda line: _breaking(outline, means, line), as_row=as_row)
    return body


def _entry(outline: Outline, cells: Mapping[tuple[str, ...], Sequence[Row]], labels: Labels) -> Entry:
    found, first = cells.get(tuple(labels[axis] for axis in outline.axes), []), outline.shown[0]
    by_seed = {row["seed"]: row[first] for row in found if row.get(first) is not None}
    return Entry(labels, values_of(found, {}, outline.shown), by_seed=by_seed)


def _with_last(body: Body, label: str, made: Callable[[list[Entry]], Entry], *, as_row: bool) -> Body:
    """A table with a last row, or column, of what is made of each column, or row."""
    down, across = range(len(body.rows)), range(len(body.columns))
    if as_row:
        last = {(len(down), x): made([body.entries[y, x] for y in down]) for x in across}
        return Body([*body.rows, label], body.columns, body.entries | last)
    last = {(y, len(across)): made([body.entries[y, x] for x in across]) for y in down}
    return Body(body.rows, [*body.columns, label], body.entries | last)


def _tested(outline: Outline, compare: Compare, body: Body) -> Body:
    """A table in which each cell is tested against the one of the level that all are compared with."""
    at = outline.axes[compare.axis].index(str(compare.to))

    def test(place: Place, entry: Entry) -> Entry:
        y, x = place
        other = body.entries[(at, x) if compare.axis == outline.rows else (y, at)].by_seed
        differences = [value - other[seed] for seed, value in entry.by_seed.items() if seed in other]
        if entry.labels.get(compare.axis, compare.to) == compare.to or len(differences) < 2:
            return entry
        return entry._replace(test=paired_test(differences, level=compare.level))

    return body._replace(entries={place: test(place, entry) for place, entry in body.entries.items()})


def _breaking(outline: Outline, means: Means, line: Sequence[Entry]) -> Entry:
    """Where a line of cells breaks."""
    axis, measure = outline.breaks.axis if outline.breaks else "", outline.shown[0]
    cells = [entry for entry in line if axis in entry.labels]  # not the worst of them
    labels = {column: label for column, label in cells[0].labels.items() if column != axis}
    found = {entry.labels[axis]: entry.values[measure].mean for entry in cells if measure in entry.values}
    return Entry(labels, {}, point=point_of(outline, means, labels, found))


def worst_of(entries: Sequence[Entry], axis: str, rows: Sequence[Row] = ()) -> Entry:
    """The largest mean of each measure along an axis, whose it is, and the runner-up; of equals the first.

    The reference's value beside it is the one that the reference has of the worst, or the largest that it has.

    Args:
        entries: What stands at each level of the axis; a level without a finished run has no measures.
        axis: The axis.
        rows: The grid's runs, where a reference may be of the worst.
    """
    labels = {column: label for column, label in entries[0].labels.items() if column != axis}
    row = next(iter(rows_at(rows, labels)), Row())
    values, levels, runner_up, by_seed = dict[str, Value](), dict[str, str](), None, dict[float, float]()
    for measure in dict.fromkeys(name for entry in entries for name in entry.values):
        found = [(entry.values[measure], entry) for entry in entries if measure in entry.values]
        found.sort(key=lambda pair: -pair[0].mean)
        (worst, entry), *others = found
        known = [(value.published, value.published_spread) for value, _ in found if value.published is not None]
        published, spread = max(known, key=lambda pair: pair[0], default=(None, None))
        if f"{OF_WORST}{measure}" in row:
            published = row[f"{OF_WORST}{measure}"]
            spread = row.get(f"{OF_WORST}{SPREAD}") if measure == ERROR else None
        values[measure] = replace(worst, published=published, published_spread=spread)
        levels[measure] = entry.labels[axis]
        if len(values) == 1:
            by_seed = dict(entry.by_seed)
            runner_up = (others[0][1].labels[axis], others[0][0].mean) if others else None
    num_known = sum(next(iter(values), None) in entry.values for entry in entries)
    share = (num_known, len(entries)) if 0 < num_known < len(entries) else None
    return Entry(labels, values, levels, runner_up, share, by_seed)


def with_places(outline: Outline, rows: Sequence[Row]) -> list[Row]:
    """Rows with a column ``worst``: the place of a row's level among those of its line, 1 for the worst.

    Places go by the mean of the first measure over the seeds; without an axis for the worst, rows stay as they are.
    """
    axis = outline.worst
    if axis is None:
        return list(rows)
    others = [column for column in outline.axes if column != axis]
    lines = dict[tuple[str, ...], dict[str, float]]()
    for labels, mean in means_of(outline, rows).items():
        named = dict(zip(outline.axes, labels, strict=True))
        lines.setdefault(tuple(named[column] for column in others), {})[named[axis]] = mean
    places = dict[tuple[str, ...], dict[str, int]]()
    for key, line in lines.items():
        ordered = sorted(line, key=lambda label: -line[label])
        places[key] = {label: place for place, label in enumerate(ordered, 1)}
    return [{**row, WORST: places.get(tuple(row[name] for name in others), {}).get(row[axis])} for row in rows]


def mark_of(outline: Outline, entry: Entry) -> str:
    """An arrow where a paired test finds a difference: up where the number that is written is the higher one."""
    if outline.compare is None or entry.test is None or entry.test.p > outline.compare.level:
        return ""
    return "↑" if outline.scale_of(outline.shown[0]).factor * entry.test.difference > 0 else "↓"


Write = Callable[[str, bool], str]
"""How a piece of text is written, and whether it is a number that is further from the reference than it may be."""


def lines_of(outline: Outline, body: Body, write: Write) -> list[list[str]]:
    """A table as it is written, cell by cell; the first line is its header."""
    header = [readable(outline.rows), *(label or outline.scale_of(outline.shown[0]).name for label in body.columns)]
    lines = [[write(word, False) for word in header]]
    for y, row in enumerate(body.rows):
        cells = (text_of(outline, body.entries[y, x], write) for x in range(len(body.columns)))
        lines.append([write(row, False), *(cell or "-" for cell in cells)])
    return lines


def text_of(outline: Outline, entry: Entry, write: Write) -> str:
    """A cell: mean and standard deviation of each measure, and the reference's values in brackets."""
    if entry.point:
        return write(entry.point.text, False)
    parts, published, tolerance = list[str](), list[str](), outline.tolerance_of(entry.labels)
    for measure, value in entry.values.items():
        scale, mark = outline.scale_of(measure), "" if parts else mark_of(outline, entry)
        number = write(measured_text(scale, value) + mark, value.is_beyond(tolerance))
        parts.append(number + (f" {write(entry.levels[measure], False)}" if entry.levels else ""))
        if value.published is not None:
            published.append(write(published_text(scale, value), False))
    if aside := entry.aside(outline.scale_of(outline.shown[0])):
        parts[0] += f"; {write(aside, False)}"
    return " / ".join(parts) + (f" ({' / '.join(published)})" if published else "")


def measured_text(scale: Scale, value: Value) -> str:
    """What was measured, with its standard deviation over seeds."""
    return scale.measured(value.mean) + ("" if value.spread is None else f" ±{scale.spread(value.spread)}")


def published_text(scale: Scale, value: Value) -> str:
    """The reference's value with its spread, or a mark where it is no target; nothing where there is none."""
    if value.published is None:
        return ""
    spread = value.published_spread
    if spread is None or math.isinf(spread):
        return scale.published(value.published) + ("" if spread is None else "!")
    return f"{scale.published(value.published)} ±{scale.spread(spread)}"
