"""The settings that a grid's table shows, of those that were tried."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from flt.grid.plan.findings import Key, Select
from flt.grid.plan.naming import SELECTED, cell_name, run_folder
from flt.grid.plan.outline import Labels, Outline
from flt.grid.results.rows import Row

Run = tuple[str | None, float]
"""The level of the axis that shares a setting, and the seed."""


class Choice(NamedTuple):
    """The setting that was chosen for some cells.

    Attributes:
        labels: The levels that it was chosen for.
        setting: The level of each axis that was chosen over.
        score: What it was chosen by.
        level: The level that the largest score is of, where the largest counts.
    """

    labels: Labels
    setting: Labels
    score: float
    level: str | None


def choices_of(outline: Outline, rows: Sequence[Row]) -> list[Choice]:
    """The settings with the lowest scores, in the grid's order; nothing where the outline has nothing to choose.

    Only settings with every run that another has are compared: others are unfinished, or failed.
    """
    select = outline.select
    if not _is_open(outline) or select is None:
        return []
    names = [axis for axis in outline.axes if axis not in (*select.over, select.axis)]
    choices = []
    for rest, settings in _tried(outline, select, rows).items():
        runs = {run for scores in settings.values() for run in scores}
        scored = {key: _score(select, scores) for key, scores in settings.items() if runs and scores.keys() == runs}
        if scored:
            key = min(scored, key=lambda setting: scored[setting][0])
            labels = dict(zip(names, rest, strict=True))
            choices.append(Choice(labels, dict(zip(select.over, key, strict=True)), *scored[key]))
    return choices


def chosen(outline: Outline, rows: Sequence[Row]) -> tuple[Outline, list[Row]]:
    """What the tables and figures of a grid are of: an outline without the axes that were chosen over, and its rows."""
    if not _is_open(outline) or outline.select is None:
        return outline, list(rows)
    axes = {axis: labels for axis, labels in outline.axes.items() if axis not in outline.select.over}
    return replace(outline, axes=axes), [row for row in with_selected(outline, rows) if row[SELECTED]]


def with_selected(outline: Outline, rows: Sequence[Row]) -> list[Row]:
    """Rows with a column ``selected``, 1 where the row's setting was chosen, else 0."""
    if not _is_open(outline):
        return list(rows)
    settings = [choice.labels | choice.setting for choice in choices_of(outline, rows)]
    return [{**row, SELECTED: int(any(setting.items() <= row.items() for setting in settings))} for row in rows]


def finished_runs(outline: Outline, choices: Sequence[Choice], folder: Path, labels: Labels) -> dict[int, Path]:
    """The folders of a cell's finished runs by their seeds; none where no setting is chosen for the cell yet.

    Args:
        outline: The grid's outline.
        choices: The settings that were chosen.
        folder: The grid's results.
        labels: The level of each axis that tables show.
    """
    setting = next((choice.setting for choice in choices if choice.labels.items() <= labels.items()), {})
    labels = labels | setting
    if labels.keys() != outline.axes.keys():
        return {}
    cell = cell_name(labels[column] for column in outline.axes)
    folders = {seed: run_folder(folder, cell, seed) for seed in outline.seeds}
    return {seed: run for seed, run in folders.items() if (run / "summary.json").is_file()}


def _is_open(outline: Outline) -> bool:
    """Whether there is anything to choose."""
    return outline.select is not None and outline.axes.keys() >= {*outline.select.over}


def _tried(outline: Outline, select: Select, rows: Sequence[Row]) -> dict[Key, dict[Key, dict[Run, float]]]:
    """What was measured of each setting, by the levels that a setting is chosen for."""
    tried: dict[Key, dict[Key, dict[Run, float]]] = {}
    for row in rows:
        rest, setting = select.parts({axis: row[axis] for axis in outline.axes})
        scores = tried.setdefault(rest, {}).setdefault(setting, {})
        if row.get(select.metric) is not None:
            scores[row[select.axis] if select.axis else None, row["seed"]] = row[select.metric]
    return tried


def _score(select: Select, scores: Mapping[Run, float]) -> tuple[float, str | None]:
    """The score of a setting, and the level that it is of."""
    by_level: dict[str | None, list[float]] = {}
    for (level, _), score in scores.items():
        by_level.setdefault(level, []).append(score)
    means = {level: statistics.mean(numbers) for level, numbers in by_level.items()}
    if select.statistic == "mean":
        return statistics.mean(means.values()), None
    worst = max(means, key=means.__getitem__)
    return means[worst], worst
