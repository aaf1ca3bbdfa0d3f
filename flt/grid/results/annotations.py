"""Further columns of ``table.csv``: what was chosen, places, paired tests, where rules break."""

from collections.abc import Sequence

from flt.grid.plan.naming import DIFFERENCE, POINT, SELECTED
from flt.grid.plan.outline import Outline
from flt.grid.results.breaking import points_of
from flt.grid.results.rows import Row
from flt.grid.results.selection import chosen, with_selected
from flt.grid.results.table import body_of, with_places


def annotated(outline: Outline, rows: Sequence[Row]) -> list[Row]:
    """All rows of a grid; those of settings that were not chosen have no places, tests and points."""
    shown = iter(_of_shown(*chosen(outline, rows)))
    return [next(shown) if row.get(SELECTED, 1) else row for row in with_selected(outline, rows)]


def _of_shown(outline: Outline, rows: Sequence[Row]) -> list[Row]:
    further: dict[tuple[str, ...], Row] = {}
    if outline.compare is not None:
        for panel in outline.panels:
            for entry in body_of(outline, rows, panel).entries.values():
                if entry.labels.keys() == outline.axes.keys():
                    cell = tuple(entry.labels[axis] for axis in outline.axes)
                    further[cell] = dict(zip(DIFFERENCE, entry.test or [None] * 4, strict=False))
    points = {key: point.number for key, point in points_of(outline, rows).items()}
    made = []
    for row in with_places(outline, rows):
        row = {**row, **further.get(tuple(row[axis] for axis in outline.axes), {})}
        if outline.breaks is not None:
            row[POINT] = points[tuple(row[axis] for axis in outline.axes if axis != outline.breaks.axis)]
        made.append(row)
    return made
