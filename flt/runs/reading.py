"""Reading the metrics that a run has left."""

import csv
from pathlib import Path

from flt.errors import InputError


def metrics_of(folder: Path) -> list[dict[str, float]]:
    """Reads the rows of a run's ``metrics.csv``; a row holds only the columns that have a number in it.

    Raises:
        InputError: If it is not there, or is no such file.
    """
    path = folder / "metrics.csv"
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{name: float(value) for name, value in row.items() if value and name != "data"} for row in rows]
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; flt fit writes it") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is damaged: {error}") from error
