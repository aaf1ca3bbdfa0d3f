"""The file ``summary.json`` of a finished run: its content, writing it and reading it."""

import json
import math
from pathlib import Path
from typing import Any

from flt.errors import InputError
from flt.runs.schema import Mismatch, check, count, fields, finite, mapping_of, optional, text, truth

CERTIFICATES = ("guaranteed_progress", "progress_taken", "leverage", "leverage_used", "kappa", "kappa_bound")
"""What holds whatever malicious clients send, and what they make of it."""

MEANS = (
    *(f"{name}_{who}" for name in ("trust_score", "weight", "kept") for who in ("benign", "malicious")),
    *CERTIFICATES,
)
"""Metrics of which a summary has the mean over the logged rounds."""

_NUMBER = optional(finite)
SUMMARY = fields(
    {
        "data": text,
        "stand_in": truth,
        "aggregation": text,
        "attack": text,
        **dict.fromkeys(("testing_error_rate", "attack_success_rate"), _NUMBER),
        **dict.fromkeys(("trust_score_benign", "trust_score_malicious"), _NUMBER),
        **dict.fromkeys(("num_clients", "num_malicious", "num_dropped", "rounds", "seed"), count),
    },
    # Which earlier runs do not have.
    {"metrics": mapping_of(_NUMBER), **dict.fromkeys(("best", "best_on_validation"), optional(mapping_of(_NUMBER)))},
)
"""What the file must hold; it may hold more."""


def summary_as_json(summary: dict[str, Any]) -> str:
    """A summary as the file's content; JSON knows neither NaN nor infinity, they become null.

    Example:
        >>> print(summary_as_json({"rate": float("nan"), "rounds": 3}), end="")
        {
          "rate": null,
          "rounds": 3
        }
    """
    return json.dumps(_finite(summary), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_summary(folder: Path) -> dict[str, Any]:
    """The content of a run's ``summary.json``.

    Raises:
        InputError: If it is not there, or is no summary.
    """
    path = folder / "summary.json"
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; a finished run of flt fit has one")
    try:
        content: dict[str, Any] = json.loads(path.read_text(), parse_constant=lambda name: None)
        check(content, SUMMARY)
    except Mismatch as error:
        raise InputError(f"{path} is no summary of a run: {error}; {remedy(folder)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}); {remedy(folder)}") from error
    return content


def finished_summary(folder: Path) -> dict[str, Any] | None:
    """The content of a run's ``summary.json``; None if there is none that can be used: the run is not finished."""
    try:
        return read_summary(folder)
    except InputError:
        return None


def remedy(folder: Path) -> str:
    """What to do about a damaged summary, and about damaged or missing metrics."""
    return f"flt fit --resume {folder} writes it anew from the last checkpoint"
