"""What a grid is: axes of levels, and the cells they span."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import yaml

from flt.errors import InputError, check_positive
from flt.grid.plan.axes import Axes, File, Settings, axes_of, column_among, file_named, flat
from flt.grid.plan.findings import Breaks, Compare, Select
from flt.grid.plan.naming import cell_name, label_of
from flt.grid.plan.outline import Figure, Labels, Outline
from flt.grid.plan.scale import ShownAs
from flt.runs.measures import Measure, check_measure


@dataclass(frozen=True)
class Cell:
    """One combination of levels with one seed: one run.

    Attributes:
        labels: The level of each axis.
        seed: The run's seed.
        settings: Dotted settings of ``flt fit`` with their values; ``config`` is a configuration file.
    """

    labels: Labels
    seed: int
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """The levels as the name of a folder."""
        return cell_name(self.labels.values())

    def describe(self) -> str:
        """The levels and the seed, for people."""
        return " · ".join([*self.labels.values(), f"seed {self.seed}"])


@dataclass
class Reference:
    """Published numbers to stand beside the measured ones.

    Args:
        where: Columns of the file and the values that its rows must have there, such as ``{table: III, data: HAR}``.
        file: CSV file with a column for each axis and ``testing_error_rate``, ``attack_success_rate``; in place of the
            first it may have ``testing_accuracy`` or ``testing_accuracy_percent``. A column ``spread`` holds its
            standard deviation, in the same unit: a cell may differ by as much as by the tolerance. A number whose
            ``target`` is ``no`` is shown with a ! and not held against a cell. Null is Tables III to V of the paper.
    """

    where: dict[str, str | int | float]
    file: File | None = None


class Grid:
    """Runs of ``flt fit`` for every combination of levels.

    Args:
        title: Headline of the table and the figures.
        base: Configuration file of ``flt fit`` that all cells start from, or several, of which later ones win.
        axes: The dimensions. An axis that is named by a dotted setting has a list of its values, or a mapping from
            labels to values; any other a mapping from labels to settings, such as ``{Trim: {attack: TrimAttack}}``. The
            setting ``config`` of a level is a further configuration file. Or a file that holds axes, or a list of such
            files and mappings, whose axes follow each other.
        seeds: Seeds; each cell is run with all of them.
        settings: Further settings of all cells, by their dotted names.
        exclude: Cells to leave out: each entry gives levels of some axes, a label or a list of them.
        reference: Published numbers to compare with.
        tolerance: Largest difference from them that goes unmarked; one for all cells, or by labels of an axis.
        rows: Axis of the table's rows; null is the first.
        columns: Axis of the table's columns; null is the second.
        figure: How `flt plot` draws it; null is the table's heat maps alone.
        measures: What a cell of the table shows of its runs, such as ``[testing_error_rate, testing_loss]`` or a metric
            of your own; null is the rates on the test set.
        worst: Axis of rows or columns, such as ``attack``, whose worst level gets a column or row of its own: the
            largest mean of each measure, whose it is, and the runner-up; null is none.
        measure: Which evaluation of each run counts. "last"; "best", the one with the lowest testing error, which is
            optimistic, as it is chosen on the test set; "best_on_validation", the one with the lowest validation error;
            "best_of_mean", the round in which the mean over the seeds is lowest, optimistic as well; or
            ``{mean_of_last: 5}``, the mean over the last 5 evaluations. All metrics are of the same evaluation.
        shown_as: How tables and figures write rates: as "error" rates, as "accuracy", or as "accuracy_percent". Rows of
            ``table.csv`` have error rates.
        select: Chooses settings, such as learning rates, by validation error; null shows all that are tried.
        compare: A paired test of the levels of an axis over the seeds; null is none.
        breaks: Finds the smallest level, such as the fraction of malicious clients, at which a rule breaks; null is
            none.

    Raises:
        InputError: If the axes do not make a grid.
    """

    def __init__(
        self,
        title: str,
        base: File | list[File],
        axes: Axes,
        seeds: list[int] | None = None,
        settings: Settings | None = None,
        exclude: list[Settings] | None = None,
        reference: Reference | None = None,
        tolerance: float | dict[str, float] = 0.03,
        rows: str | None = None,
        columns: str | None = None,
        figure: Figure | None = None,
        measures: list[str] | None = None,
        worst: str | None = None,
        measure: Measure = "last",
        shown_as: ShownAs = "error",
        select: Select | None = None,
        compare: Compare | None = None,
        breaks: Breaks | None = None,
    ) -> None:
        self.base = [file_named("base", path) for path in (base if isinstance(base, list) else [base])]
        if not self.base:
            raise InputError("base=[] names no configuration: name one, such as configs/har_fltrust.yaml")
        self.axes = axes_of(axes)
        self.seeds = [0] if seeds is None else seeds
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds={self.seeds}: give at least one seed, and each once")
        if not all(0 <= seed < 2**32 for seed in self.seeds):
            raise InputError(f"seeds={self.seeds}: each must be from 0 to {2**32 - 1}")
        self.settings = flat(settings or {})
        if "seed_everything" in self.settings:
            raise InputError(f"settings: seed_everything={self.settings['seed_everything']} has no effect: set seeds")
        if any("seed_everything" in level for axis in self.axes for level in axis.levels.values()):
            raise InputError("axes: seed_everything has no effect: set seeds")
        self.reference = reference
        check_measure(measure)
        for value in tolerance.values() if isinstance(tolerance, dict) else [tolerance]:
            check_positive("tolerance", value)
        levels = {axis.column: list(axis.levels) for axis in self.axes}
        for label in tolerance if isinstance(tolerance, dict) else []:
            if not any(label in labels for labels in levels.values()):
                raise InputError(f"tolerance: {label} is no level of an axis of this grid")
        select = select and select.of(levels)
        self.shown = [column for column in levels if select is None or column not in select.over]
        rows = self.shown[0] if rows is None else self._column("rows", rows)
        left = [column for column in self.shown if column != rows]
        columns = (left[0] if left else None) if columns is None else self._column("columns", columns)
        if columns == rows:
            raise InputError(f"columns={columns} is the axis of the rows as well: choose another")
        source = None if reference is None else "the paper's" if reference.file is None else "the reference's"
        worst = worst and self._column("worst", worst)
        shown = {column: levels[column] for column in self.shown}
        compare, breaks = compare and compare.of(shown, len(self.seeds)), breaks and breaks.of(shown)
        for name, axis in {"worst": worst, "compare.axis": compare and compare.axis}.items():
            if axis not in (None, rows, columns):
                raise InputError(f"{name}={axis} has a table for each of its levels: make it the rows or the columns")
        self.outline = Outline(
            title,
            levels,
            self.seeds,
            rows,
            columns,
            tolerance,
            source,
            figure and self._checked(figure),
            measures,
            worst,
            measure,
            shown_as,
            select,
            compare,
            breaks,
        )
        if measures is not None and (not measures or len({*measures} - {*levels, "seed", "data_used"}) < len(measures)):
            raise InputError(f"measures={measures}: name metrics, each once, that are no axes of the grid")
        self.exclude = [self._partial("exclude", entry) for entry in exclude or []]
        self.cells = self._make_cells()
        self.outline = self._without_empty(self.outline)
        if breaks is not None:
            breaks.check_left([cell.labels for cell in self.cells])
        if select is not None:
            select.check_alike([cell.labels for cell in self.cells])

    def _without_empty(self, outline: Outline) -> Outline:
        """An outline without levels of which every cell is excluded, but for the one that others are compared with."""
        there = {label for cell in self.cells for label in cell.labels.items()}
        kept = there | ({(outline.compare.axis, outline.compare.to)} if outline.compare else set())
        axes = {name: [label for label in labels if (name, label) in kept] for name, labels in outline.axes.items()}
        return replace(outline, axes=axes)

    def _make_cells(self) -> list[Cell]:
        cells = []
        for labels in product(*(axis.levels for axis in self.axes)):
            named = {axis.column: label for axis, label in zip(self.axes, labels, strict=True)}
            if any(all(named[column] in given for column, given in entry.items()) for entry in self.exclude):
                continue
            settings: dict[str, Any] = dict(self.settings)
            for axis, label in zip(self.axes, labels, strict=True):
                settings |= axis.levels[label]
            cells += [Cell(named, seed, settings) for seed in self.seeds]
        if not cells:
            raise InputError("exclude leaves no cell of the grid")
        names: dict[str, Labels] = {}
        for cell in cells:
            other = names.setdefault(cell.name, cell.labels)
            if other != cell.labels:
                raise InputError(
                    f"axes: the levels {' · '.join(other.values())} and {' · '.join(cell.labels.values())} would share"
                    f" the folder {cell.name}: rename one"
                )
        return cells

    def _column(self, name: str, axis: str) -> str:
        """The column of an axis that tables and figures show: none of those that settings are chosen over."""
        return column_among(self.shown, name, axis)

    def _partial(self, name: str, entry: Mapping[str, Any]) -> dict[str, list[str]]:
        """Some axes with some of their labels."""
        partial = {}
        for axis, given in entry.items():
            column = column_among(self.outline.axes, name, axis)
            labels = [label_of(value) for value in (given if isinstance(given, list) else [given])]
            for label in labels:
                if label not in self.outline.axes[column]:
                    choices = ", ".join(self.outline.axes[column])
                    raise InputError(f"{name}: {axis} has no level {label}: choose of {choices}")
            partial[column] = labels
        return partial

    def _checked(self, figure: Figure) -> Figure:
        names = {name: getattr(figure, name) for name in ("x", "lines", "panels")}
        columns = {name: given and self._column(f"figure.{name}", given) for name, given in names.items()}
        if figure.kind == "lines" and figure.x is None:
            raise InputError("figure.x is missing: name the axis along which the lines run")
        return Figure(kind=figure.kind, y=figure.y, **columns)


def arguments_of(grid: Grid, cell: Cell) -> list[str]:
    """The arguments of ``flt fit`` for a cell, without where its files go."""
    configs = [str(path) for path in grid.base]
    if "config" in cell.settings:
        configs.append(cell.settings["config"])
    # A class comes before its own settings.
    keys = sorted((key for key in cell.settings if key != "config"), key=lambda key: key.count("."))
    return [
        *(f"--config={path}" for path in configs),
        *(f"--{key}={argument(cell.settings[key])}" for key in keys),
        f"--seed_everything={cell.seed}",
    ]


def argument(value: Any) -> str:
    """A value as a word of the command line."""
    return value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).split("\n...")[0].strip()
