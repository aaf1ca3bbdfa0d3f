"""Which evaluation of a run counts: the last, the best, or the mean of some, as published tables differ in that."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Literal

from flt.errors import InputError

Measure = Literal["last", "best", "best_on_validation", "best_of_mean"] | dict[str, int]
"""What a configuration may give: a name, or ``{mean_of_last: k}``."""

Rows = Sequence[Mapping[str, float]]
"""Logged metrics of one run by name, a row for each logged round."""

TESTED, VALIDATED = "testing_error_rate", "validation_error_rate"
OF_VALIDATION = "validation_"  # how metrics begin that never see the test set
MEAN_OF_LAST = "mean_of_last"


def check_measure(measure: Measure) -> None:
    """Raises an `InputError` for a mapping that is not ``{mean_of_last: k}`` with a k from 1."""
    if isinstance(measure, dict) and (list(measure) != [MEAN_OF_LAST] or measure[MEAN_OF_LAST] < 1):
        raise InputError(f"measure={measure}: as a mapping it is {{{MEAN_OF_LAST}: 5}}, or another number from 1")


def described(measure: Measure) -> str:
    """A measure in words; nothing for the last evaluation, which is the usual one.

    Example:
        >>> described("best_on_validation"), described({"mean_of_last": 5})
        ("at each run's lowest validation error", 'mean of the last 5 evaluations')
    """
    if isinstance(measure, dict):
        return f"mean of the last {measure[MEAN_OF_LAST]} evaluations"
    optimistic = "(optimistic: chosen on the test set)"
    return {
        "last": "",
        "best": f"at each run's lowest testing error {optimistic}",
        "best_of_mean": f"in the round of the lowest mean testing error {optimistic}",
        "best_on_validation": "at each run's lowest validation error",
    }[measure]


def evaluations(rows: Rows) -> list[Mapping[str, float]]:
    """The rows of rounds after which the model was evaluated; round 0, the model before all of them, is none."""
    return [row for row in rows if TESTED in row and row.get("round") != 0]


def measured(measure: Measure, runs: Sequence[Rows]) -> list[dict[str, float]]:
    """The metrics that a measure takes from each of several runs that differ in their seed alone.

    All metrics of a run come from one evaluation, so that an attack's success is that of the model whose error is
    shown: "last" takes the last; "best" the one with the lowest testing error, "best_of_mean" the round in which the
    mean over the runs is lowest, "best_on_validation" the one with the lowest validation error; of equals the first.
    ``{mean_of_last: k}`` takes means over the last k evaluations, or over all where there are fewer. Metrics on
    validation examples are those of the lowest validation error wherever an evaluation is chosen, so that who compares
    settings by them does not see the test set.

    Args:
        measure: Which.
        runs: The rows of each run.

    Returns:
        Metrics by name for each run; ``round`` is that of the evaluation. Nothing where there is no such evaluation.

    Example:
        >>> rows = [{"round": 10, "testing_error_rate": 0.25}, {"round": 20, "testing_error_rate": 0.75}]
        >>> measured("best", [rows]), measured({"mean_of_last": 2}, [rows])
        ([{'round': 10, 'testing_error_rate': 0.25}], [{'testing_error_rate': 0.5}])
    """
    curves = [evaluations(rows) for rows in runs]
    if isinstance(measure, dict):
        return [_means(curve[-measure[MEAN_OF_LAST] :]) for curve in curves]
    if measure == "last":
        return [dict(curve[-1]) if curve else {} for curve in curves]
    if measure == "best_of_mean":
        return _best(curves, TESTED)
    by = TESTED if measure == "best" else VALIDATED
    return [best for curve in curves for best in _best([curve], by)]


def _means(rows: Rows) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row if name not in ("round", "step"))
    return {name: statistics.mean(row[name] for row in rows if name in row) for name in names}


def _best(curves: Sequence[Rows], by: str) -> list[dict[str, float]]:
    """The metrics of each curve in the round in which the mean of one is lowest."""
    chosen, validated = _row_of_lowest(curves, by), _row_of_lowest(curves, VALIDATED)
    return [
        {name: value for name, value in row.items() if not name.startswith(OF_VALIDATION)}
        | {name: value for name, value in own.items() if name.startswith(OF_VALIDATION)}
        for row, own in zip(chosen, validated, strict=True)
    ]


def _row_of_lowest(curves: Sequence[Rows], name: str) -> list[Mapping[str, float]]:
    by_round = [{row["round"]: row for row in curve if name in row} for curve in curves]
    rounds = sorted(set.intersection(*map(set, by_round)))
    if not rounds:
        return [{} for _ in curves]
    lowest = min(rounds, key=lambda number: statistics.mean(own[number][name] for own in by_round))
    return [own[lowest] for own in by_round]
