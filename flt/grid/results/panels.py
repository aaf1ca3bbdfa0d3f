"""Panels of a figure: lines with bands over the seeds, on shared scales, beside one legend."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from textwrap import fill
from typing import Any, Literal, NamedTuple, get_args

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from flt.display.style import COLOURS
from flt.errors import InputError
from flt.grid.plan.naming import MEASURES
from flt.grid.plan.scale import Scale

Style = Literal["-", "--", "-.", ":"]
STYLES: tuple[Style, ...] = get_args(Style)
LONGEST = 38  # letters that have room beside an axis
MOST_ACROSS = 3  # panels beside one another
WIDTH = 3.9  # of a panel, in inches
BOUND: dict[str, Any] = {"color": "grey", "linestyle": "--", "linewidth": 1.0}


class Point(NamedTuple):
    """A measure at one place of a line, over the seeds."""

    x: float
    values: list[float]
    published: float | None = None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return sum(self.values) / len(self.values)


Lines = dict[str, list[Point]]
"""The points of each line by its label."""


class Panel(NamedTuple):
    """One system of axes: its title, its metric and how that is written, its lines, and where rules count as broken."""

    title: str
    y: str
    scale: Scale
    lines: Lines
    bound: float | None = None


class Legend(NamedTuple):
    """The part of a legend that is the same in all figures of a grid.

    Attributes:
        title: Name of the lines' axis; empty where there is a single line.
        labels: The labels of all lines that the grid may have. They settle the looks, so that a line looks the same in
            every figure of the grid, whichever lines are missing there.
    """

    title: str
    labels: list[str]


NO_LEGEND = Legend("", [])


@rc_context({"text.parse_math": False})  # a label may hold a $
def draw_panels(
    title: str,
    panels: Sequence[Panel],
    x: str,
    source: str | None,
    *,
    legend: Legend,
    how: Callable[[float], str] = lambda width: "",
) -> Canvas:
    """Draws panels.

    Args:
        title: Headline.
        panels: What to draw.
        x: What runs along the axes.
        source: Whose the published numbers are, if there are any.
        legend: Title and labels of all lines that the grid may have.
        how: Further lines of the headline, for a width in inches.

    Raises:
        InputError: If there is nothing to draw.
    """
    if not panels:
        raise InputError("nothing to draw: no run of these is finished")
    across = min(MOST_ACROSS, len({panel.title for panel in panels}))
    down = math.ceil(len(panels) / across)
    canvas = Canvas(figsize=(WIDTH * across, 0.9 + 2.9 * down), layout="constrained")
    grid = canvas.subplots(down, across, squeeze=False)
    drawn = dict.fromkeys(line for panel in panels for line in panel.lines)
    styles = dict(zip([*dict.fromkeys([*legend.labels, *drawn])], cycle(_looks()), strict=False))
    places = list(grid.flat)
    for axis, panel in zip(places, panels, strict=False):
        _draw_panel(axis, panel, styles)
        axis.set_title(panel.title, fontsize=10)
        axis.set_xlabel(x)
        axis.set_ylabel(fill(panel.scale.name, LONGEST))
    for axis in places[len(panels) :]:
        axis.remove()
    _share_scales(canvas.axes, panels)
    handles = [Line2D([], [], color=styles[line][0], linestyle=styles[line][1], label=line) for line in drawn]
    points = [point for panel in panels for line in panel.lines.values() for point in line]
    if any(point.published is not None for point in points):
        handles.append(Line2D([], [], color="grey", linestyle="", marker="x", label=f"{source} value"))
    if any(panel.bound is not None for panel in panels):
        handles.append(Line2D([], [], **BOUND, label="counts as broken"))
    if legend.title or len(handles) > 1:
        _add_legend(canvas, handles, legend.title)
    seeds = max(len(point.values) for point in points)
    subtitle = f"\nmean and range over {seeds} seeds" if seeds > 1 else ""
    canvas.suptitle(
        title + subtitle + how(WIDTH * across), fontsize=11, x=0.01, horizontalalignment="left"
    )  # clear of the legend
    return canvas


def _add_legend(canvas: Canvas, handles: Sequence[Line2D], title: str) -> None:
    """Puts a legend beside the panels, and widens the figure by as much."""
    made = canvas.legend(handles=handles, loc="outside right upper", frameon=False, title=title, alignment="left")
    canvas.set_figwidth(canvas.get_figwidth() + made.get_window_extent().width / canvas.dpi)


def _share_scales(axes: Sequence[Axes], panels: Sequence[Panel]) -> None:
    """Gives all panels of a rate one scale, by which they can be compared."""
    for measure in MEASURES:
        own = [axis for axis, panel in zip(axes, panels, strict=True) if panel.y == measure]
        top = max((axis.get_ylim()[1] for axis in own), default=1.0)
        unit = max((abs(panel.scale.factor) for panel in panels if panel.y == measure), default=1.0)
        is_accuracy = any(panel.scale.factor < 0 for panel in panels if panel.y == measure)
        for axis in own:
            axis.set_ylim(-0.02 * unit, 1.02 * unit if is_accuracy else max(0.2 * unit, min(1.02 * unit, top)))


def _looks() -> list[tuple[str, Style]]:
    return [(colour, style) for style in STYLES for colour in COLOURS]


def _draw_panel(axis: Axes, panel: Panel, styles: Mapping[str, tuple[str, Style]]) -> None:
    for line, points in panel.lines.items():
        colour, style = styles[line]
        x = [point.x for point in points]
        marker = "o" if len(points) <= 12 else None  # a few points are seen as such
        axis.plot(x, [point.mean for point in points], color=colour, linestyle=style, marker=marker, markersize=4)
        low, high = ([edge(point.values) for point in points] for edge in (min, max))
        axis.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        published = [(point.x, point.published) for point in points if point.published is not None]
        if published:
            axis.plot(*zip(*published, strict=True), color=colour, linestyle="", marker="x", markersize=6)
    if panel.bound is not None:
        axis.axhline(panel.bound, **BOUND)
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
