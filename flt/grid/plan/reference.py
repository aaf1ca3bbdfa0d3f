"""Published numbers beside measured ones."""

import csv
import math
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from flt.cli.configs import read_text
from flt.errors import InputError
from flt.grid.plan.axes import file_named
from flt.grid.plan.grid import Reference
from flt.grid.plan.naming import MEASURES, label_of
from flt.grid.plan.outline import Labels

ACCURACIES = {"testing_accuracy": 1.0, "testing_accuracy_percent": 100.0}
"""Columns that a reference may have in place of ``testing_error_rate``, and what is all examples there."""

SPREAD, TARGET = "spread", "target"
"""Columns that a reference may have: the standard deviation of the former, and whether it is to be met."""


class Published(NamedTuple):
    """The rows of a reference that belong to a grid.

    Attributes:
        columns: The grid's axes that the reference knows.
        values: The measures that are given, and the `SPREAD` of the error rate, by the labels of those axes.
        is_papers: Whether they are the paper's, which tell nothing of a stand-in for its data.
        is_of_worst: Whether they are of the worst along an axis, and of no single cell.
    """

    columns: list[str]
    values: dict[tuple[str, ...], dict[str, float]]
    is_papers: bool = False
    is_of_worst: bool = False

    @property
    def has_spreads(self) -> bool:
        """Whether the spread of a number is known, or one is no target."""
        return any(SPREAD in numbers for numbers in self.values.values())

    def of(self, labels: Labels) -> dict[str, float]:
        """What the reference gives for a cell; nothing, if it has no such cell."""
        return self.values.get(tuple(labels[column] for column in self.columns), {})


def published(reference: Reference | None, columns: list[str], worst: str | None = None) -> Published:
    """Reads a reference.

    Args:
        reference: Where from; None is nowhere.
        columns: The axes of the grid's tables.
        worst: The one whose worst level is shown; of a reference that has no such column, numbers are of the worst.

    Raises:
        InputError: If the file does not have what is asked for.
    """
    if reference is None:
        return Published([], {})
    name, rows = _read(reference)
    known = list(rows[0])
    unknown = [column for column in reference.where if column not in known]
    if unknown:
        raise InputError(f"reference.where: {name} has no column {unknown[0]}: choose of {', '.join(known)}")
    where = {column: label_of(value) for column, value in reference.where.items()}
    chosen = [row for row in rows if all(row[column] == value for column, value in where.items())]
    if not chosen:
        raise InputError(f"reference.where={where}: no row of {name} is like that")
    shared = [column for column in columns if column in known and column not in MEASURES]
    if not shared:
        raise InputError(f"reference: {name} has none of the axes {', '.join(columns)} among its columns")
    values: dict[tuple[str, ...], dict[str, float]] = {}
    for row in chosen:
        labels = tuple(row[column] for column in shared)
        if labels in values:
            raise InputError(f"reference: {name} has several rows for {', '.join(labels)}: narrow reference.where")
        values[labels] = _rates(name, row)
    return Published(shared, values, reference.file is None, worst is not None and worst not in shared)


def _read(reference: Reference) -> tuple[str, list[dict[str, str]]]:
    """The name and the rows of the file, at least one."""
    if reference.file is None:
        name, text = "the paper's tables", resources.files("flt.grid.plan").joinpath("paper.csv").read_text()
    else:
        path: Path = file_named("reference.file", reference.file)
        name, text = f"reference.file={path}", read_text(path, "reference.file")
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or not any(measure in rows[0] for measure in (*MEASURES, *ACCURACIES)):
        raise InputError(f"{name}: a CSV file with a column {' or '.join((*MEASURES, *ACCURACIES))} is expected")
    errors = [column for column in rows[0] if column in ("testing_error_rate", *ACCURACIES)]
    if len(errors) > 1:
        raise InputError(f"{name} has the columns {' and '.join(errors)}, which say the same: leave one of them out")
    if any(None in row or None in row.values() for row in rows):
        raise InputError(f"{name}: every line needs as many fields as the first")
    return name, rows


def _rates(name: str, row: dict[str, str]) -> dict[str, float]:
    """The error and success rates of a row; accuracy becomes an error rate."""
    rates = {measure: _number(name, row[measure]) for measure in MEASURES if row.get(measure)}
    for column, whole in ACCURACIES.items():
        if row.get(column):
            accuracy = _number(name, row[column])
            if not 0 <= accuracy <= whole:
                raise InputError(
                    f"{name}: {column}={row[column]} must be from 0 to {whole:g}; columns of accuracy are"
                    f" {' and '.join(ACCURACIES)}"
                )
            rates["testing_error_rate"] = round(1 - accuracy / whole, 12)
    return rates | _spread(name, row)


def _spread(name: str, row: dict[str, str]) -> dict[str, float]:
    """The standard deviation of a row's error rate, if it is given; without bounds where it is no target."""
    if row.get(TARGET, "yes") not in ("yes", "no"):
        raise InputError(f"{name}: {TARGET}={row[TARGET]} must be yes or no")
    if row.get(TARGET) == "no":
        return {SPREAD: math.inf}
    if not row.get(SPREAD):
        return {}
    spread = _number(name, row[SPREAD])
    if spread < 0:
        raise InputError(f"{name}: {SPREAD}={row[SPREAD]} must be 0 or more")
    return {SPREAD: spread / next((whole for column, whole in ACCURACIES.items() if row.get(column)), 1.0)}


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name}: {text!r} is no number")
    return number
