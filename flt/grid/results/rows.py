"""A grid's results: a row for each cell and seed, and each cell's mean and spread over the seeds."""

import csv
import io
import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flt.grid.plan.grid import Cell
from flt.grid.plan.naming import MEASURES, titled
from flt.grid.plan.outline import Labels
from flt.grid.plan.reference import SPREAD, Published
from flt.runs.measures import Measure, Rows, measured
from flt.runs.summary import MEANS

KEPT = (
    *MEASURES,
    *("trust_score_benign", "trust_score_malicious", "num_clients", "num_malicious", "num_dropped", "rounds"),
)
"""Keys of ``summary.json`` that every row has; a row also has the metrics that the run has logged."""

REFERENCE, OF_WORST = "reference_", "reference_worst_"
"""How the columns of a reference's numbers begin: of a cell, and of the worst along an axis that it does not have."""

ERROR = next(iter(MEASURES))
"""The measure that a reference's spread is of."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Value:
    """A measure over the seeds of a cell.

    Attributes:
        mean: Its mean.
        spread: Its standard deviation; None for a single seed.
        published: The reference's value, if it has one.
        published_spread: The standard deviation of that, if the reference has one; without bounds for no target.
    """

    mean: float
    spread: float | None
    published: float | None
    published_spread: float | None = None

    @property
    def difference(self) -> float | None:
        """How far the mean is above the reference's value."""
        return None if self.published is None else self.mean - self.published

    def is_beyond(self, tolerance: float) -> bool:
        """Whether the mean is further from the reference's value than ``tolerance``, and than that one's spread."""
        allowed = max(tolerance, self.published_spread or 0.0)
        return self.difference is not None and abs(self.difference) > allowed + 1e-9


def row_of(cell: Cell, summary: Mapping[str, Any], published: Published) -> Row:
    """Makes the row of a finished run; a metric that is called like another column is left out."""
    expected = {} if published.is_papers and summary["stand_in"] else published.of(cell.labels)
    prefix = OF_WORST if published.is_of_worst else REFERENCE
    known = [*MEASURES, *([SPREAD] if published.has_spreads else [])]
    row = {
        **cell.labels,
        "seed": cell.seed,
        "data_used": summary["data"],
        **{name: summary[name] for name in KEPT if name not in cell.labels},  # an axis may be a number of clients
        **({f"{prefix}{measure}": expected.get(measure) for measure in known} if published.columns else {}),
    }
    return row | {name: value for name, value in summary.get("metrics", {}).items() if name not in row}


def with_measure(measure: Measure, rows: Sequence[Row], histories: Sequence[Rows], axes: Collection[str]) -> list[Row]:
    """Rows whose metrics are those that a measure takes from the runs of each cell.

    What a summary has of the run as a whole, such as mean trust scores, stays. Where one evaluation is taken, a row has
    its ``round``.

    Args:
        measure: Which evaluation counts.
        rows: The rows that `row_of` has made.
        histories: The logged metrics of each row's run.
        axes: Columns that hold labels; rows that agree in them are a cell.
    """
    cells: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        cells.setdefault(tuple(row[column] for column in axes), []).append(number)
    made, fixed = list(rows), {*axes, *MEANS, "num_dropped", "seed", "data_used"}
    for members in cells.values():
        taken = measured(measure, [histories[number] for number in members])
        for number, metrics in zip(members, taken, strict=True):
            known = ({*rows[number]} - fixed) | {"round"}
            own = {name: value for name, value in metrics.items() if name in known}
            made[number] = rows[number] | {name: value if math.isfinite(value) else None for name, value in own.items()}
    return made


def as_csv(rows: Sequence[Row]) -> str:
    """The rows as the content of a CSV file; nothing where there are none."""
    text = io.StringIO()
    if rows:
        columns = dict.fromkeys(name for row in rows for name in row)  # not every run logs the same
        writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def from_csv(text: str, axes: Collection[str]) -> list[Row]:
    """Reads the rows that `as_csv` has written; a number comes back as a float, an empty field as None.

    Args:
        text: The file's content.
        axes: Columns that hold labels.

    Raises:
        ValueError: If a field that is no label is no number.
    """
    texts = {*axes, "data_used"}
    return [
        {name: value if name in texts else float(value) if value else None for name, value in row.items()}
        for row in csv.DictReader(io.StringIO(text, newline=""))
    ]


def by_cell(rows: Iterable[Row], axes: Collection[str]) -> dict[tuple[str, ...], list[Row]]:
    """The rows of each cell, by its labels.

    Args:
        rows: The rows.
        axes: Columns that hold labels, in the order of a cell's labels.
    """
    cells: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        cells.setdefault(tuple(row[axis] for axis in axes), []).append(row)
    return cells


def rows_at(rows: Sequence[Row], labels: Labels) -> list[Row]:
    """The rows of a cell."""
    return [row for row in rows if all(row[column] == label for column, label in labels.items())]


def values_of(rows: Sequence[Row], labels: Labels, measures: Iterable[str] = MEASURES) -> dict[str, Value]:
    """Returns mean and spread of the measures that the runs of a cell have."""
    found = rows_at(rows, labels)
    values = {}
    for measure in measures:
        numbers = [row[measure] for row in found if row.get(measure) is not None]
        if numbers:
            spread = statistics.stdev(numbers) if len(numbers) > 1 else None
            known = found[0].get(f"{REFERENCE}{SPREAD}") if measure == ERROR else None
            values[measure] = Value(statistics.mean(numbers), spread, found[0].get(f"{REFERENCE}{measure}"), known)
    return values


def exceeds(values: Mapping[str, Value], tolerance: float) -> bool:
    """Whether a measure is further from the reference than the tolerance."""
    return any(value.is_beyond(tolerance) for value in values.values())


def panel_title(labels: Labels) -> str:
    """Returns a panel's title."""
    return " · ".join(titled(column, label) for column, label in labels.items())
