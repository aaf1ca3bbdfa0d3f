"""Reading what a finished run has left."""

import csv
import json
from pathlib import Path
from typing import Any

from flt.errors import InputError


def metrics_of(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's ``metrics.csv``, without what a row does not have.

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
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: {error}") from error


def summary_of(folder: Path) -> dict[str, Any]:
    """The content of a run's ``summary.json``.

    Raises:
        InputError: If it is not there, or is no such file.
    """
    path = folder / "summary.json"
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; a finished run of flt fit has one") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: it holds no object")
    missing = {"data", "aggregation", "attack", "seed"} - content.keys()
    if missing:
        raise InputError(f"{path} is no summary of a run: it has no {', '.join(sorted(missing))}")
    return content
