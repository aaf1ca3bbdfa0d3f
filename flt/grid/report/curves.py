"""The curves of a cell: means over the seeds of what its runs have logged, by round."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from flt.display.curves import PANELS, Panel, Rows
from flt.display.style import MEASURES as COLOURS
from flt.display.style import OTHERS
from flt.grid.plan.naming import MEASURES, readable
from flt.grid.plan.scale import ShownAs, scale_of

MOST_POINTS = 60  # of a line: a screen shows no more of a small chart
DIGITS = 4  # that count, of a number in a curve


def curves_of(
    runs: Sequence[Rows], shown: Iterable[str] = MEASURES, *, shown_as: ShownAs = "error"
) -> list[dict[str, Any]]:
    """The curves of a cell, as one chart for each panel that a run's ``curves.png`` would have.

    Lines of more than 60 points are thinned evenly, from their last point back. Rates have the smallest and the largest
    of the seeds beside their mean.

    Args:
        runs: Logged metrics of each seed's run.
        shown: The measures that the grid's table shows; one that no panel has gets a chart of its own.
        shown_as: How rates are written.

    Example:
        >>> (chart,) = curves_of([[{"round": 1.0, "testing_error_rate": rate}] for rate in (0.5, 0.25)])
        >>> chart["rounds"], chart["lines"][0]["mean"], chart["lines"][0]["low"]
        ([1], [0.375], [0.25])
    """
    known = {metric for panel in PANELS for metric in panel.curves}
    others = (Panel(readable(name), {name: readable(name)}) for name in shown if name not in known)
    panels = [panel for panel in (*PANELS, *others) if any(panel.is_drawn(run) for run in runs)]
    return [_chart(panel, runs, shown_as) for panel in panels]


def _chart(panel: Panel, runs: Sequence[Rows], shown_as: ShownAs) -> dict[str, Any]:
    """One panel as data."""
    found = {metric: _by_round(metric, runs) for metric in panel.curves}
    rounds = _thinned(sorted({number for numbers in found.values() for number in numbers}))
    lines = []
    for metric, label in panel.curves.items():
        scale = scale_of(metric, shown_as)
        values = [[scale.number(value) for value in found[metric].get(number, [])] for number in rounds]
        if any(values):
            label = label if scale == scale_of(metric) else scale.name
            line = {
                "metric": metric,
                "label": label,
                "colour": COLOURS.get(metric, OTHERS[0]),
                "mean": _reduced(values, statistics.fmean),
            }
            if metric in MEASURES and len(runs) > 1:
                line |= {"low": _reduced(values, min), "high": _reduced(values, max)}
            lines.append(line)
    return {"label": panel.label, "rounds": rounds, "lines": lines}


def _by_round(metric: str, runs: Sequence[Rows]) -> dict[int, list[float]]:
    """A metric's finite values at each round."""
    found: dict[int, list[float]] = {}
    for run in runs:
        for row in run:
            if "round" in row and math.isfinite(row.get(metric, math.nan)):
                found.setdefault(int(row["round"]), []).append(row[metric])
    return found


def _thinned(rounds: Sequence[int]) -> list[int]:
    every = math.ceil(len(rounds) / MOST_POINTS) or 1
    return list(rounds[::-1][::every][::-1])


def _reduced(values: Sequence[Sequence[float]], how: Any) -> list[float | None]:
    return [float(f"{how(numbers):.{DIGITS}g}") if numbers else None for numbers in values]
