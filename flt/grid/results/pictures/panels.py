"""Panels of a figure: lines or dots with their range over the seeds, on shared scales, with one legend."""

from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from flt.display.drawing import drawing, entitle, frame, labelled, place_legend, spaced, wrapped
from flt.display.figure_style import USUAL, FigureStyle
from flt.display.style import DASHES, MEASURES, OTHERS, Look, looks_of
from flt.errors import InputError
from flt.grid.plan.scale import ERRORS, SUCCESSES, Scale

MOST_ACROSS, MOST_IN_ROWS = 3, 4  # panels beside one another, and where each metric has rows of its own
WIDTH, HEIGHT = 3.9, 2.9  # of a panel, in inches
DOT, WIDEST = 0.09, 12.0  # inches that a dot takes beside others, and most of all panels beside one another
DOT_SIZE = 0.5  # of a letter
BOUND: dict[str, Any] = {"color": "grey", "linestyle": (0, (1, 3)), "linewidth": 1.2}


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


def draw_panels(
    title: str,
    panels: Sequence[Panel],
    x: str,
    source: str | None,
    *,
    legend: Legend,
    places: Mapping[str, float] | None = None,
    style: FigureStyle = USUAL,
    subtitle: str = "",
    compares_rates: bool = False,
) -> Canvas:
    """Draws panels.

    Args:
        title: Headline.
        panels: What to draw.
        x: What runs along the axes.
        source: Whose the published numbers are, if there are any.
        legend: Title and labels of all lines that the grid may have.
        places: Words and where they stand along the axes, where dots are beside each other and no lines run.
        style: Size, letters, headline and legend.
        subtitle: Further lines of the headline.
        compares_rates: Whether different rates have one scale as well.

    Raises:
        InputError: If there is nothing to draw.
    """
    if not panels:
        raise InputError("nothing to draw: no run of these is finished")
    rows = _rows(panels)
    across, down = max(map(len, rows)), len(rows)
    drawn = [*dict.fromkeys(line for panel in panels for line in panel.lines)]
    width = max(WIDTH, min(WIDEST / across, 0.9 + DOT * (1 + len(drawn)) * len(places or [])))
    points = [point for panel in panels for line in panel.lines.values() for point in line]
    with drawing(style):
        canvas = Canvas(figsize=(width * across, 0.9 + HEIGHT * down), layout="constrained")
        entitle(canvas, title + _about_seeds(points) + subtitle, style, at_left=True)
        grid = canvas.subplots(down, across, squeeze=False)
        axes = [axis for row, beside in zip(grid, rows, strict=True) for axis in row[: len(beside)]]
        looks = _looks(legend, drawn, panels)
        for axis, panel in zip(axes, chain.from_iterable(rows), strict=True):
            _draw_panel(axis, panel, looks, None if places is None else drawn)
            if places is not None:
                axis.set_xlim(-0.5, len(places) - 0.5)
                axis.grid(False, axis="x")
                for place in range(1, len(places)):
                    axis.axvline(place - 0.5, color="grey", alpha=0.25, linewidth=0.8)
            axis.set_title(wrapped(panel.title, width - 0.5, style.font_size))
            axis.set_xlabel(x)
            axis.set_ylabel(wrapped(panel.scale.name, HEIGHT - 0.4, style.font_size))
        for axis in {*grid.flat} - {*axes}:
            axis.remove()
        _share_scales(canvas.axes, panels, compares_rates=compares_rates)
        handles = [_sample(looks[line], labelled(line, style), has_line=places is None) for line in drawn]
        if any(point.published is not None for point in points):
            handles.append(Line2D([], [], color="grey", linestyle="", marker="x", label=f"{source} value"))
        if any(panel.bound is not None for panel in panels):
            handles.append(Line2D([], [], **BOUND, label="counts as broken"))
        if legend.title or len(handles) > 1:
            place_legend(canvas, axes[0], handles, style, legend.title)
    return canvas


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """The panels that are beside one another; metrics with the same panels have rows of their own."""
    by_metric = [list(same) for _, same in groupby(panels, key=attrgetter("y"))]
    is_grid = len(by_metric) > 1 and len({tuple(panel.title for panel in same) for same in by_metric}) == 1
    num_titles = len({panel.title for panel in panels})
    across = num_titles if num_titles <= (MOST_IN_ROWS if is_grid else MOST_ACROSS) else MOST_ACROSS
    parts = by_metric if is_grid else [list(panels)]  # else a metric of few panels would leave a gap
    return [part[start : start + across] for part in parts for start in range(0, len(part), across)]


def _about_seeds(points: Sequence[Point]) -> str:
    seeds = max(len(point.values) for point in points)
    return f"\nmean and range over {seeds} seeds" if seeds > 1 else ""


def _looks(legend: Legend, drawn: Sequence[str], panels: Sequence[Panel]) -> dict[str, Look]:
    """The look of each line; where there is but one, that of what it measures."""
    if legend.title or len(drawn) > 1:
        return looks_of([*legend.labels, *drawn])
    return {line: Look(MEASURES.get(panels[0].y, OTHERS[0]), "o", "-") for line in drawn}


def _sample(look: Look, label: str, *, has_line: bool) -> Line2D:
    """A line of the legend."""
    given: dict[str, Any] = {"linestyle": look.dash if has_line else "", "marker": look.marker, "label": label}
    return Line2D([], [], color=look.colour, markersize=DOT_SIZE * rcParams["font.size"], **given)


def _share_scales(axes: Sequence[Axes], panels: Sequence[Panel], *, compares_rates: bool) -> None:
    """Gives all panels one x axis, and those of a rate, or of all rates, one scale from 0, to compare them by.

    Others begin at 0 if they can.
    """
    for axis, panel in zip(axes, panels, strict=True):
        lowest = min(min(point.values) for line in panel.lines.values() for point in line)
        if lowest >= 0:
            axis.set_ylim(bottom=0.0)
    starts, ends = zip(*(axis.get_xlim() for axis in axes), strict=True)
    for axis in axes:
        axis.set_xlim(min(starts), max(ends))
    shared: dict[object, list[tuple[Axes, Scale]]] = {}
    for axis, panel in zip(axes, panels, strict=True):
        if ERRORS.fullmatch(panel.y) or SUCCESSES.fullmatch(panel.y):
            shared.setdefault(panel.scale.factor if compares_rates else panel.y, []).append((axis, panel.scale))
    for own in shared.values():
        top, scale = max(axis.get_ylim()[1] for axis, _ in own), own[0][1]
        unit = abs(scale.factor)
        for axis, _ in own:
            axis.set_ylim(0.0, unit if scale.factor < 0 else max(0.2 * unit, min(unit, top)))


def _draw_panel(axis: Axes, panel: Panel, looks: Mapping[str, Look], beside: Sequence[str] | None) -> None:
    """Draws the lines of a panel, or their points beside each other where they stand for words."""
    for place, (line, points) in enumerate(panel.lines.items()):
        if beside is None:
            _draw_line(axis, points, looks[line], place / max(1, len(panel.lines) - 1), place)
            shift = 0.0
        else:
            shift = 0.8 * ((beside.index(line) + 0.5) / len(beside) - 0.5)
            _draw_dots(axis, points, looks[line], shift)
        published = [(point.x + shift, point.published) for point in points if point.published is not None]
        if published:
            xs, ys = zip(*published, strict=True)
            axis.plot(
                xs,
                ys,
                color=looks[line].colour,
                linestyle="",
                marker="x",
                markersize=0.6 * rcParams["font.size"],
                clip_on=False,
            )
    if panel.bound is not None:
        axis.axhline(panel.bound, **BOUND)
    frame(axis)


def _draw_line(axis: Axes, points: Sequence[Point], look: Look, share: float, place: int) -> None:
    """Draws a line with a band; of lines that coincide, solid ones lie below dashed ones, large marks below small."""
    x, low, high = ([*values] for values in zip(*((point.x, *_range(point)) for point in points), strict=True))
    axis.plot(
        x,
        [point.mean for point in points],
        color=look.colour,
        linestyle=look.dash,
        marker=look.marker,
        markersize=(1.3 - 0.5 * share) * DOT_SIZE * rcParams["font.size"],
        markevery=spaced(len(points), place),
        zorder=2 + 0.1 * DASHES.index(look.dash) + 0.001 * place,
        clip_on=False,
    )
    axis.fill_between(x, low, high, color=look.colour, alpha=0.15, linewidth=0)


def _draw_dots(axis: Axes, points: Sequence[Point], look: Look, shift: float) -> None:
    """Draws a mean as a dot and its range over the seeds as a bar through it."""
    x, means = [point.x + shift for point in points], [point.mean for point in points]
    ends = [_range(point) for point in points]
    axis.vlines(x, [low for low, _ in ends], [high for _, high in ends], color=look.colour, linewidth=1.5, alpha=0.6)
    axis.plot(
        x,
        means,
        color=look.colour,
        linestyle="",
        marker=look.marker,
        markersize=DOT_SIZE * rcParams["font.size"],
        clip_on=False,
    )


def _range(point: Point) -> tuple[float, float]:
    return min(point.values), max(point.values)
