"""The curves of a run: error, attack success, errors of clients, trust scores, who is kept, guarantees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flt.display.drawing import as_file, drawing, entitle, frame, place_legend, spaced
from flt.display.figure_style import USUAL, FigureStyle
from flt.display.style import DASHES, MARKERS, MEASURES

Rows = Sequence[Mapping[str, float]]
"""Metrics by name, a row for each round."""

STEPS = 6
"""Between numbers of an axis, at the most: each number costs its share of the drawing."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        label: What the vertical axis shows.
        curves: Name in the legend of each metric.
        has_news: Whether rows that hold one of the metrics say something by them.
    """

    label: str
    curves: Mapping[str, str]
    has_news: Callable[[Rows], bool] = lambda rows: True

    def is_drawn(self, rows: Rows) -> bool:
        """Whether there is something to show."""
        return any(key in row for row in rows for key in self.curves) and self.has_news(rows)


def _of_both(metric: str) -> dict[str, str]:
    return {f"{metric}_benign": "benign clients", f"{metric}_malicious": "malicious clients"}


def _weights_differ(rows: Rows) -> bool:
    """Whether malicious clients count more or less than benign ones, in a run of a rule without trust scores."""
    if any("trust_score_benign" in row for row in rows):  # which weights follow
        return False
    return any(row["weight_malicious"] != row.get("weight_benign", 0.0) for row in rows if "weight_malicious" in row)


def _anybody_is_left_out(rows: Rows) -> bool:
    return any(row.get(key, 1.0) < 1.0 for row in rows for key in _of_both("kept"))


PANELS = (
    Panel(
        "rate",
        {
            "testing_error_rate": "testing error rate",
            "validation_error_rate": "validation error rate",
            "attack_success_rate": "attack success rate",
        },
    ),
    Panel(
        "error of the benign clients",
        {
            "client_error_mean": "mean",
            "client_error_worst_tenth": "worst tenth",
        },
    ),
    Panel("mean trust score", _of_both("trust_score")),
    Panel("mean weight", _of_both("weight"), _weights_differ),
    Panel("share of clients kept", _of_both("kept"), _anybody_is_left_out),
    Panel("progress along the root update", {"guaranteed_progress": "guaranteed"}),
    Panel("distance from the benign mean", {"leverage": "possible, in its lengths"}),
    Panel(
        "share of what an attack could do",
        {"progress_taken": "to the progress", "leverage_used": "to the distance"},
    ),
    Panel("kappa", {"kappa": "of the round", "kappa_bound": "published bound"}),
)


def has_curves(rows: Rows) -> bool:
    """Whether `draw_curves` would draw anything of these rows."""
    return bool(_panels(rows))


def drawn_curves(rows: Rows, title: str) -> bytes:
    """What `draw_curves` draws, as a PNG file's content."""
    return as_file(draw_curves(rows, title), "curves.png")


def draw_curves(rows: Rows, title: str, style: FigureStyle = USUAL) -> Figure:
    """Draws what a run has of error, attack success, trust scores, weights, who is kept and guarantees over its rounds.

    Weights and shares that say nothing are left out: of rules with trust scores, without malicious clients, or where
    everybody is kept. Round 0 is the model before the first round.

    Args:
        rows: Metrics by name, each row with its ``round``; a name may be missing from a row.
        title: Headline, such as the data, rule and attack of the run.
        style: Size, letters, headline and legend.
    """
    panels = _panels(rows)
    with drawing(style):
        figure = Figure(figsize=(7.5, 0.8 + 2.7 * max(1, len(panels))), layout="constrained")
        entitle(figure, title, style)
        axes = list(figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0])
        for axis, panel in zip(axes, panels, strict=False):
            for place, (key, name) in enumerate(panel.curves.items()):
                _draw(axis, rows, key, name, place)
            axis.set_ylabel(panel.label)
            _begin_at_zero(axis)
            frame(axis)
            axis.locator_params(nbins=STEPS)
        axes[-1].set_xlabel("round")
        _add_legends(figure, axes, style)
    return figure


def _panels(rows: Rows) -> list[Panel]:
    """The panels that have something to show."""
    return [panel for panel in PANELS if panel.is_drawn(rows)]


def _draw(axis: Axes, rows: Rows, key: str, label: str, place: int) -> None:
    """Draws a metric; each of a panel has a dash and marks of its own, so that curves that coincide are all seen."""
    points = [(row["round"], row[key]) for row in rows if key in row]
    if points:
        x, y = zip(*points, strict=True)
        look: dict[str, Any] = {
            "color": MEASURES[key],
            "linestyle": DASHES[place],
            "marker": MARKERS[place],
            "markersize": 4,
        }
        axis.plot(x, y, **look, markevery=spaced(len(points), place), label=label, linewidth=1.6, clip_on=False)


def _begin_at_zero(axis: Axes) -> None:
    """Lets an axis begin at 0, or where something negative is drawn."""
    lowest = min((np.min(np.asarray(line.get_ydata(), float)) for line in axis.lines), default=0.0)
    if not lowest < 0:  # a NaN neither
        axis.set_ylim(bottom=0.0)


def _add_legends(figure: Figure, axes: Sequence[Axes], style: FigureStyle) -> None:
    """Tells what curves are: beside or within each panel, or once below all of them."""
    if style.legend == "below":
        shown = {line.get_label(): line for axis in axes for line in axis.lines}
        place_legend(figure, axes[0], list(shown.values()), style)
    elif style.legend != "none":
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if style.legend == "right" else {"loc": "best"}
        for axis in axes:
            if axis.lines:
                axis.legend(frameon=False, **beside)
