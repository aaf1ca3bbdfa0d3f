"""The tables of a grid as data: what stands at each place, and a ranking by the worst."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flt.grid.plan.findings import Compare
from flt.grid.plan.naming import WORST, readable
from flt.grid.plan.outline import Outline
from flt.grid.plan.scale import Scale
from flt.grid.results.listings import in_full
from flt.grid.results.rows import Row, Value, panel_title
from flt.grid.results.table import Entry, body_of, mark_of, worst_of
from flt.runs.summary import CERTIFICATES

ATTACK, RULE = "attack", "rule"  # axes that a page knows what to do with


def completed(outline: Outline) -> Outline:
    """An outline in which the worst is over attacks, and the first rule is compared with, unless it says otherwise."""
    axes = (outline.rows, outline.columns)
    worst = outline.worst or (ATTACK if ATTACK in axes and len(outline.axes[ATTACK]) > 1 else None)
    compare, levels = outline.compare, outline.axes.get(RULE, [])
    if compare is None and RULE in axes and len(levels) > 1 and len(outline.seeds) > 1:
        compare = Compare(RULE, levels[0])
    return replace(outline, worst=worst, compare=compare)


def tables_of(outline: Outline, rows: Sequence[Row], cells: Mapping[tuple[str, ...], int]) -> list[dict[str, Any]]:
    """A table for each panel of a grid.

    Args:
        outline: The grid's outline, `completed`.
        rows: Its finished runs.
        cells: The numbers of its cells by the label of each axis.
    """
    made = []
    for panel in outline.panels:
        body = body_of(outline, rows, panel)
        levels, columns = len(outline.axes[outline.rows]), len(outline.column_labels)
        made.append(
            {
                "title": panel_title(panel),
                "labels": panel,
                "rows": [_head(outline, label, y < levels) for y, label in enumerate(body.rows)],
                "columns": [_head(outline, label, x < columns) for x, label in enumerate(body.columns)],
                "entries": [
                    [_entry(outline, body.entries[y, x], cells) for x in range(len(body.columns))]
                    for y in range(len(body.rows))
                ],
            }
        )
    return made


def _head(outline: Outline, label: str | None, is_level: bool) -> dict[str, Any]:
    """A row's or column's label."""
    if label == WORST and not is_level:
        label = f"{label} {readable(outline.worst or '')}"
    return {"label": label or outline.scale_of(outline.shown[0]).name, "is_level": is_level}


def _entry(outline: Outline, entry: Entry, cells: Mapping[tuple[str, ...], int]) -> dict[str, Any]:
    """What stands at one place; of the worst, each value has the cell that it comes from."""
    values, test = {name: _value(outline, name, value, entry) for name, value in entry.values.items()}, entry.test
    for name, level in entry.levels.items():
        values[name] |= {"level": level, "cell": _number(outline, {**entry.labels, outline.worst or "": level}, cells)}
    return {
        "cell": next((value["cell"] for value in values.values()), None)
        if entry.levels
        else _number(outline, entry.labels, cells),
        "values": values,
        "runner_up": entry.aside(outline.scale_of(outline.shown[0])) or None,
        "breaks_at": entry.point.text if entry.point else None,
        "mark": mark_of(outline, entry),
        "test": None if test is None else {**test._asdict(), "text": in_full(outline.scale_of(outline.shown[0]), test)},
    }


def _number(outline: Outline, labels: Mapping[str, str], cells: Mapping[tuple[str, ...], int]) -> int | None:
    """The number of a cell, if it has a finished run."""
    return cells.get(tuple(labels.get(axis, "") for axis in outline.axes))


def _value(outline: Outline, name: str, value: Value, entry: Entry) -> dict[str, Any]:
    """One measure, in numbers and in writing."""
    scale, published, is_target = outline.scale_of(name), value.published, value.published_spread != math.inf
    found: dict[str, Any] = {
        "mean": value.mean,
        "spread": value.spread,
        "text": scale.measured(value.mean),
        "spread_text": None if value.spread is None else scale.spread(value.spread),
    }
    if published is not None and value.difference is not None:
        found["published"] = {
            "value": published,
            "spread": value.published_spread if is_target else None,
            "is_target": is_target,
            "difference": value.difference,
            "is_beyond": value.is_beyond(outline.tolerance_of(entry.labels)),
            "text": scale.published(published),
            "difference_text": scale.difference(value.difference),
        }
    return found


def rankings_of(
    outline: Outline, rows: Sequence[Row], cells: Mapping[tuple[str, ...], int], known: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """For each panel, the levels of the other axis by their worst: that, without attack, seconds, certificates.

    Args:
        outline: The grid's outline, `completed`.
        rows: Its finished runs.
        cells: The numbers of its cells by the label of each axis.
        known: Its cells.
    """
    against, names = outline.worst, _certificates(rows)
    if against is None or outline.columns is None:
        return []
    subject = outline.rows if against == outline.columns else outline.columns
    made = []
    for panel in outline.panels:
        body, lines = body_of(replace(outline, worst=None, breaks=None), rows, panel), []
        for label in outline.axes[subject]:
            entries = [entry for entry in body.entries.values() if entry.labels[subject] == label]
            places = [_number(outline, entry.labels, cells) for entry in entries]
            clean = [
                entry
                for entry, place in zip(entries, places, strict=True)
                if place is not None and known[place]["attack"] == "NoAttack"
            ]
            found = [known[place] for place in places if place is not None]
            seconds = [value for cell in found for value in cell["seconds"].values() if value is not None]
            own = [row for row in rows if row[subject] == label and panel.items() <= row.items()]
            lines.append(
                {
                    "label": label,
                    "worst": _entry(outline, worst_of(entries, against, rows), cells),
                    "clean": _entry(outline, clean[0], cells) if clean else None,
                    "seconds": statistics.fmean(seconds) if seconds else None,
                    "certificates": {name: _mean(own, name) for name in names},
                }
            )
        made.append({"title": panel_title(panel), "axis": subject, "against": against, "rows": lines})
    return made


def _certificates(rows: Sequence[Row]) -> list[str]:
    """The certificates that any run has logged, whatever their names end with."""
    named = dict.fromkeys(name for row in rows for name in row if name.startswith(CERTIFICATES))
    return [name for name in named if any(row.get(name) is not None for row in rows)]


def _mean(rows: Sequence[Row], name: str) -> float | None:
    found = [row[name] for row in rows if row.get(name) is not None]
    return statistics.fmean(found) if found else None


def scale_as_data(scale: Scale) -> dict[str, Any]:
    """How numbers of a measure are written."""
    return {"label": scale.name, "factor": scale.factor, "offset": scale.offset, "digits": scale.digits[0]}
