"""What of a grid its tables and figures need to know; it outlasts the grid in ``grid.yaml``."""

from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import yaml

from flt.errors import InputError
from flt.grid.plan.findings import Breaks, Compare, Select
from flt.grid.plan.naming import MEASURES
from flt.grid.plan.scale import Scale, ShownAs, scale_of
from flt.runs.measures import Measure, described

Labels = dict[str, str]
"""The level of each axis, by the axis's column."""

DEFAULT_TOLERANCE = 0.03

FINDINGS = {"select": Select, "compare": Compare, "breaks": Breaks}


@dataclass
class Figure:
    """How `flt plot` draws a grid.

    Args:
        kind: "lines" has rates over an axis, "curves" over the rounds.
        x: The axis along which lines run.
        lines: The axis of which each level is a line; null is the first that is left.
        panels: The axis of which each level has a panel of its own; null is the next that is left, if any.
        y: Measures, a row of panels each; null is every rate on the test set that was measured.
    """

    kind: Literal["lines", "curves"] = "lines"
    x: str | None = None
    lines: str | None = None
    panels: str | None = None
    y: list[str] | None = None


@dataclass(frozen=True)
class Outline:
    """The outline of a grid.

    Attributes:
        title: Headline.
        axes: The labels of each axis, by its column.
        seeds: The seeds.
        rows: Axis of the table's rows.
        columns: Axis of the table's columns; None if there is one axis.
        tolerance: Largest difference from published numbers that goes unmarked, by a label or for all.
        source: Whose the published numbers are, in words; None if there are none.
        figure: How `flt plot` draws it.
        measures: What a cell of the table shows; None is the rates on the test set.
        worst: Axis of rows or columns whose worst level has a column or row of its own; None if there is none.
        measure: Which evaluation of a run the rows are of.
        shown_as: How rates are written; rows have error rates.
        select: Which settings are shown of those that were tried; None is all, each in a cell of its own.
        compare: The paired test that marks cells; None if there is none.
        breaks: The bound at which a rule counts as broken; None if there is none.
    """

    title: str
    axes: dict[str, list[str]]
    seeds: list[int]
    rows: str
    columns: str | None = None
    tolerance: float | dict[str, float] = DEFAULT_TOLERANCE
    source: str | None = None
    figure: Figure | None = None
    measures: list[str] | None = None
    worst: str | None = None
    measure: Measure = "last"
    shown_as: ShownAs = "error"
    select: Select | None = None
    compare: Compare | None = None
    breaks: Breaks | None = None

    @property
    def shown(self) -> list[str]:
        """The measures of a cell; the first gives it its colour."""
        return self.measures or list(MEASURES)

    @property
    def panels(self) -> list[Labels]:
        """The combinations of levels of all axes that are neither rows nor columns; each has a table of its own."""
        others = [column for column in self.axes if column not in (self.rows, self.columns)]
        return [dict(zip(others, labels, strict=True)) for labels in product(*(self.axes[name] for name in others))]

    @property
    def column_labels(self) -> list[str | None]:
        """The levels of the column axis; one without a name where there is no such axis."""
        return [None] if self.columns is None else list(self.axes[self.columns])

    def labels_at(self, panel: Labels, row: str, column: str | None) -> Labels:
        """The labels of the cell at a place of a table."""
        labels = {**panel, self.rows: row}
        return labels if column is None or self.columns is None else {**labels, self.columns: column}

    def tolerance_of(self, labels: Labels) -> float:
        """Largest difference from published numbers that goes unmarked in a cell."""
        if isinstance(self.tolerance, dict):
            return next(
                (self.tolerance[label] for label in labels.values() if label in self.tolerance), DEFAULT_TOLERANCE
            )
        return self.tolerance

    @property
    def limits(self) -> str:
        """The tolerances, for people."""
        given, unit = self.tolerance, 100 if self.shown_as == "accuracy_percent" else 1
        if not isinstance(given, dict):
            return f"{unit * given:g}"
        every = {**given, "others": DEFAULT_TOLERANCE}
        return ", ".join(f"{unit * value:g} ({label})" for label, value in every.items())

    def scale_of(self, metric: str) -> Scale:
        """How a metric is written in this grid's tables and figures."""
        return scale_of(metric, self.shown_as)

    @property
    def subtitle(self) -> str:
        """A line below a figure's title that says which evaluation counts; nothing where it is the last."""
        return "".join(f"\n{line}" for line in [described(self.measure)] if line)

    def as_yaml(self) -> str:
        """The content of ``grid.yaml``."""
        text: str = yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True)
        return text

    @classmethod
    def read(cls, path: Path) -> "Outline":
        """The outline in a file that `as_yaml` made.

        Raises:
            InputError: If it is not one.
        """
        try:
            content: dict[str, Any] = yaml.safe_load(path.read_text())
            figure = content.pop("figure")
            given = {name: kind(**content[name]) for name, kind in FINDINGS.items() if content.get(name)}
            return cls(**{**content, **given}, figure=figure and Figure(**figure))
        except FileNotFoundError as error:
            raise InputError(f"{path}: there is no such file; flt table writes it") from error
        except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path} is no outline of a grid ({error}): run flt table again") from error
