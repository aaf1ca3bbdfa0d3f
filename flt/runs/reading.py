"""Reading the metrics that a run has left."""

import csv
from pathlib import Path

from flt.errors import InputError
from flt.runs.summary import remedy


def metrics_of(folder: Path) -> list[dict[str, float]]:
    """Reads the rows of a run's ``metrics.csv``; a row holds only the columns that have a number in it.

    Raises:
        InputError: If it is not there, or is no such file.
    """
    path = folder / "metrics.csv"
    try:
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
        rows = [{name: float(value) for name, value in line.items() if value and name != "data"} for line in lines]
        if not all("round" in row for row in rows or [{}]):
            raise ValueError("a row without its round" if rows else "it has no rows")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; {remedy(folder)}") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is damaged ({error}); {remedy(folder)}") from error
    return rows
