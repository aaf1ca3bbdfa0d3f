"""Tables beside a grid's own: the settings that were chosen, paired tests in full, where rules break."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Labels, Outline
from flt.grid.plan.scale import Scale
from flt.grid.results.breaking import Point, points_of
from flt.grid.results.paired import Paired
from flt.grid.results.rows import Row, panel_title
from flt.grid.results.selection import choices_of, chosen
from flt.grid.results.table import body_of

Lines = list[list[str]]


class Listing(NamedTuple):
    """A table under a title; the first line is its header."""

    title: str
    lines: Lines


class Overview(NamedTuple):
    """Where rules break, over two axes: the levels of rows and columns, and a point where they meet."""

    labels: Labels
    rows: list[str]
    columns: list[str]
    points: dict[tuple[int, int], Point]


def listings_of(outline: Outline, rows: Sequence[Row]) -> list[Listing]:
    """The settings that were chosen, and where rules break."""
    listings = [Listing("Chosen settings", lines)] if (lines := _of_choices(outline, rows)) else []
    for overview in overviews_of(outline, rows):
        lines = [["", *overview.columns]]
        for y, row in enumerate(overview.rows):
            lines.append([row, *(overview.points[y, x].text for x in range(len(overview.columns)))])
        listings.append(Listing(" · ".join(filter(None, ("Breaks at", panel_title(overview.labels)))), lines))
    return listings


def _of_choices(outline: Outline, rows: Sequence[Row]) -> Lines:
    select, choices = outline.select, choices_of(outline, rows)
    if select is None or not choices:
        return []
    scale = outline.scale_of(select.metric)
    score = f"{select.statistic} {readable(select.axis)}" if select.axis else "mean"
    names = [*choices[0].labels, *select.over]
    lines = [[*map(readable, names), f"{scale.name}, {score}"]]
    for choice in choices:
        number = scale.measured(choice.score) + (f" {choice.level}" if choice.level else "")
        lines.append([*choice.labels.values(), *choice.setting.values(), number])
    return lines


def overviews_of(outline: Outline, rows: Sequence[Row]) -> list[Overview]:
    """Where rules break, for grids with at least two axes beside the one along which they do."""
    outline, rows = chosen(outline, rows)
    breaks, points = outline.breaks, points_of(outline, rows)
    if breaks is None or len(outline.axes) < 3:
        return []
    others = [axis for axis in outline.axes if axis != breaks.axis]
    first, second, *left = sorted(others, key=[outline.rows, outline.columns, *others].index)
    made = []
    for labels in product(*(outline.axes[axis] for axis in left)):
        of_panel = dict(zip(left, labels, strict=True))
        placed = {
            (y, x): points[tuple({**of_panel, first: row, second: column}[axis] for axis in others)]
            for y, row in enumerate(outline.axes[first])
            for x, column in enumerate(outline.axes[second])
        }
        made.append(Overview(of_panel, outline.axes[first], outline.axes[second], placed))
    return made


def tests_of(outline: Outline, rows: Sequence[Row]) -> list[Listing]:
    """The paired tests in full, a table for each panel."""
    outline, rows = chosen(outline, rows)
    compare, listings = outline.compare, list[Listing]()
    if compare is None:
        return []
    for panel in outline.panels:
        body, scale = body_of(outline, rows, panel), outline.scale_of(outline.shown[0])
        found = {place: in_full(scale, entry.test) for place, entry in body.entries.items() if entry.test}
        down, across = (sorted({place[axis] for place in found}) for axis in (0, 1))
        lines = [[readable(outline.rows), *(body.columns[x] or scale.name for x in across)]]
        lines += [[body.rows[y], *(found.get((y, x), "-") for x in across)] for y in down]
        title = f"Difference from {compare.to} in {scale.name}"
        listings += [Listing(" · ".join(filter(None, (title, panel_title(panel)))), lines)] if found else []
    return listings


def in_full(scale: Scale, test: Paired) -> str:
    """A test in writing: the mean difference, its confidence interval, and p."""
    low, high = sorted((test.low, test.high), key=lambda value: scale.factor * value)
    return f"{scale.difference(test.difference)} [{scale.difference(low)}, {scale.difference(high)}], p {test.p:.3g}"
