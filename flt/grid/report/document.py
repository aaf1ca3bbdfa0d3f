"""The document of a report: one or several grids as plain data, which ``results.json`` holds."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import flt
from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.report.cells import cell_of, distinct, hash_of
from flt.grid.report.tables import completed, rankings_of, scale_as_data, tables_of
from flt.grid.results.explaining import explanation
from flt.grid.results.results import Results
from flt.grid.results.rows import Row, by_cell, panel_title
from flt.grid.results.selection import choices_of, chosen, finished_runs

FORMAT = 1
"""Version of the document's form, which ``results.schema.json`` describes; it grows where readers have to change."""


def document_of(grids: Sequence[Results], title: str | None = None) -> dict[str, Any]:
    """The document of one or several grids.

    Args:
        grids: Their results.
        title: Headline; None is the title of a single grid.

    Raises:
        InputError: If what a run has left is damaged.
    """
    made = [_grid(results) for results in grids]
    usual = made[0]["title"] if len(made) == 1 else "Results"
    return {"format": FORMAT, "title": title or usual, "flt": flt.__version__, "grids": made}


def _grid(results: Results) -> dict[str, Any]:
    """One grid."""
    full = completed(results.outline)
    outline, rows = chosen(full, results.rows)
    cells = _cells(full, outline, results, rows)
    made = grid_of(outline, rows, cells)
    runs = {"finished": len(results.rows), "left": results.left, "failures": results.failures}
    return {**made, "explanation": explanation(full, results.rows, below=True), "runs": runs}


def grid_of(outline: Outline, rows: Sequence[Row], cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A grid as data, but for what is said about it and about its runs.

    Args:
        outline: Its outline.
        rows: A row for each run.
        cells: Its cells, each with its labels, title, attack, seconds, versions, hash, charts and with the arguments of
            `flt.grid.report.arguments.arguments_of`, which become its command.
    """
    numbers = {tuple(cell["labels"].values()): number for number, cell in enumerate(cells)}
    versions = [each for cell in cells for each in cell["versions"]]
    hashes = [cell["settings_hash"] for cell in cells]
    common = _common([cell["arguments"] for cell in cells])
    found = by_cell(rows, outline.axes)
    cells = [{**cell, "runs": _runs(outline, found[tuple(cell["labels"].values())])} for cell in cells]
    for cell in cells:
        arguments = cell.pop("arguments")
        own = [word for part, words in arguments.items() if part not in common for word in words]
        cell["command"] = shlex.join(own) if arguments else None
    return {
        "title": outline.title,
        "axes": [{"name": axis, "label": readable(axis), "levels": levels} for axis, levels in outline.axes.items()],
        "rows": outline.rows,
        "columns": outline.columns,
        "seeds": outline.seeds,
        "source": outline.source,
        "compared_with": outline.compare and outline.compare.to,
        "measures": {name: scale_as_data(outline.scale_of(name)) for name in outline.shown},
        "versions": distinct(filter(None, versions)),
        "settings_hash": hash_of([outline.seeds, *hashes]) if cells and None not in hashes else None,
        "command": shlex.join(word for words in common.values() for word in words),
        "rankings": rankings_of(outline, rows, numbers, cells),
        "tables": tables_of(outline, rows, numbers),
        "cells": cells,
    }


def _cells(full: Outline, outline: Outline, results: Results, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The cells with a finished run in the folder."""
    choices, cells = choices_of(full, results.rows), []
    for key in by_cell(rows, outline.axes):
        own = dict(zip(outline.axes, key, strict=True))
        runs = finished_runs(full, choices, results.folder, own)
        if runs:
            cells.append({"labels": own, "title": panel_title(own), **cell_of(runs, outline)})
    return cells


def _runs(outline: Outline, rows: Sequence[Row]) -> dict[str, Any]:
    """What each seed's run has measured, in numbers and in writing."""
    found: dict[str, Any] = {}
    for row in rows:
        values = {name: row[name] for name in outline.shown if row.get(name) is not None}
        found[str(int(row["seed"]))] = {
            name: {"value": value, "text": outline.scale_of(name).measured(value)} for name, value in values.items()
        }
    return found


def _common(parts: Sequence[Mapping[str, list[str]]]) -> dict[str, list[str]]:
    """The parts of a command that all cells share."""
    first = parts[0] if parts else {}
    return {name: words for name, words in first.items() if all(each.get(name) == words for each in parts)}
