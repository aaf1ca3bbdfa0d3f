"""The figures of a study: rates over an axis, or over the rounds, with bands over the seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from flt.display.drawing import labelled, turn_touching_labels
from flt.display.figure_style import USUAL, FigureStyle
from flt.display.style import are_numbers
from flt.errors import InputError
from flt.grid.plan.naming import MEASURES, readable, titled
from flt.grid.plan.outline import Figure, Labels, Outline
from flt.grid.plan.scale import Scale, ShownAs, scale_of
from flt.grid.results.pictures.panels import NO_LEGEND, Legend, Lines, Panel, Point, draw_panels
from flt.grid.results.rows import REFERENCE, Row
from flt.grid.results.selection import choices_of, chosen, finished_runs
from flt.runs.reading import metrics_of


def draw_lines(outline: Outline, rows: Sequence[Row], figure: Figure, style: FigureStyle = USUAL) -> Canvas:
    """Rates over an axis of a grid: a line for each level of another, a band from the least to the largest seed.

    Over words, such as rules, no lines run: the levels' means stand beside each other, with bars for the range.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
        figure: Which axis is which.
        style: Size, letters, headline and legend.

    Raises:
        InputError: If nothing is left to draw.
    """
    assert figure.x is not None
    outline, rows = chosen(outline, rows)
    check_figure(outline, figure)
    lines, panels = _axes_of(outline, figure)
    places = _places(outline.axes[figure.x])
    made = []
    known = sorted({name for row in rows for name in row} - {*outline.axes, "seed", "data_used"})
    for y in figure.y or []:
        if rows and y not in known:
            raise InputError(f"y={y}: the runs have no such metric; choose of {', '.join(known)}")
    for y in figure.y or [measure for measure in MEASURES if any(row[measure] is not None for row in rows)]:
        for panel in outline.axes[panels] if panels else [None]:
            drawn: Lines = {}
            for line in outline.axes[lines] if lines else [None]:
                labels = {column: label for column, label in ((panels, panel), (lines, line)) if column and label}
                points = _points(rows, labels, figure.x, places, y, scale=outline.scale_of(y))
                if points:
                    drawn[line or outline.scale_of(y).name] = points
            if drawn:
                title = titled(panels, panel) if panels and panel else ""
                made.append(Panel(title, y, outline.scale_of(y), drawn, _bound(outline, figure.x, y)))
    is_ordered = are_numbers(list(places)) or len(places) == 1
    canvas = draw_panels(
        outline.title,
        made,
        readable(figure.x),
        outline.source,
        legend=_legend(outline, lines),
        places=None if is_ordered else places,
        style=style,
        subtitle=outline.subtitle,
    )
    _name_places(canvas, places, style)
    return canvas


def _name_places(canvas: Canvas, places: Mapping[str, float], style: FigureStyle) -> None:
    """Writes the labels of an axis below it, turned where they would touch."""
    for axis in canvas.axes:
        axis.set_xticks(list(places.values()), [labelled(label, style) for label in places])
    turn_touching_labels(canvas, canvas.axes, upright=are_numbers(list(places)))


def draw_curves(
    title: str,
    runs: Mapping[tuple[str, str], Sequence[Path]],
    y: Sequence[str] | None = None,
    *,
    legend: Legend = NO_LEGEND,
    shown_as: ShownAs = "error",
    style: FigureStyle = USUAL,
) -> Canvas:
    """Metrics over the rounds, a band from the least to the largest seed.

    Args:
        title: Headline.
        runs: Folders of runs, one for each seed, by the titles of panel and line.
        y: Metrics, a row of panels each; None is the testing error rate.
        legend: Title and labels of the grid's lines.
        shown_as: How rates are drawn.
        style: Size, letters, headline and legend.

    Raises:
        InputError: If a run has no ``metrics.csv``, or no such metric.
    """
    metrics = {names: [metrics_of(folder) for folder in folders] for names, folders in runs.items()}
    made = []
    wanted = y or ["testing_error_rate"]
    for name in wanted:
        panels: dict[str, Lines] = {}
        scale = scale_of(name, shown_as)
        for (panel, label), seeds in metrics.items():
            found = [{row["round"]: row[name] for row in rows if {"round", name} <= row.keys()} for rows in seeds]
            rounds = sorted(set.intersection(*map(set, found)))
            if rounds:
                points = [Point(number, [scale.number(seed[number]) for seed in found]) for number in rounds]
                panels.setdefault(panel, {})[label] = points
        made += [Panel(panel, name, scale, drawn) for panel, drawn in panels.items()]
    if not made:
        known = sorted(
            {key for seeds in metrics.values() for rows in seeds for row in rows for key in row} - {"round", "step"}
        )
        raise InputError(f"y={', '.join(wanted)}: the runs have no such metric; choose of {', '.join(known)}")
    return draw_panels(title, made, "round", None, legend=legend, style=style, compares_rates=True)


def _bound(outline: Outline, x: str, y: str) -> float | None:
    """Where rules count as broken, as it is drawn, in figures along the axis along which they break."""
    breaks = outline.breaks
    is_drawn = breaks is not None and breaks.than is None and (breaks.axis, outline.shown[0]) == (x, y)
    return outline.scale_of(y).number(breaks.at) if breaks is not None and is_drawn else None


def curves_of(
    outline: Outline,
    folder: Path,
    figure: Figure,
    rows: Sequence[Row] = (),
    style: FigureStyle = USUAL,
) -> Canvas:
    """`draw_curves` of a grid's runs.

    Args:
        outline: The grid's outline.
        folder: Its results.
        figure: Which axis is which.
        rows: Its finished runs, where settings are chosen of those that were tried.
        style: Size, letters, headline and legend.
    """
    shown, choices = chosen(outline, rows)[0], choices_of(outline, rows)
    lines, panels = _axes_of(shown, figure)
    runs: dict[tuple[str, str], Sequence[Path]] = {}
    for panel in shown.axes[panels] if panels else [""]:
        for line in shown.axes[lines] if lines else [""]:
            labels = {column: label for column, label in ((panels, panel), (lines, line)) if column}
            finished = list(finished_runs(outline, choices, folder, labels).values())
            if finished:
                runs[titled(panels, panel) if panels else "", line or "mean"] = finished
    if not runs:
        raise InputError(f"{folder} holds no finished run: flt table makes them")
    legend = _legend(shown, lines)
    return draw_curves(outline.title, runs, figure.y, legend=legend, shown_as=outline.shown_as, style=style)


def _legend(outline: Outline, lines: str | None) -> Legend:
    return Legend(readable(lines), outline.axes[lines]) if lines else NO_LEGEND


def check_figure(outline: Outline, figure: Figure) -> None:
    """Raises an `InputError` unless a grid can be drawn so, once it is finished."""
    outline, _ = chosen(outline, [])
    _axes_of(outline, figure)
    for y in figure.y or []:
        if figure.kind == "lines" and y in outline.axes:
            raise InputError(f"figure.y={y} is an axis of this grid: choose a metric, such as {', '.join(MEASURES)}")


def _axes_of(outline: Outline, figure: Figure) -> tuple[str | None, str | None]:
    """The axes of lines and panels."""
    x = figure.x if figure.kind == "lines" else None
    given = [column for column in (x, figure.lines, figure.panels) if column is not None]
    if len(set(given)) < len(given):
        raise InputError(f"figure: one axis cannot be two of x, lines and panels ({', '.join(given)})")
    left = [column for column in outline.axes if column not in given]
    lines = figure.lines or (left.pop(0) if left else None)
    panels = figure.panels or (left.pop(0) if left else None)
    if figure.kind == "curves" and figure.x is not None:
        raise InputError(f"figure.x={figure.x} has no effect with kind=curves, which run over the rounds: leave it out")
    if left and x is None:
        raise InputError(
            f"figure: a line would stand for several levels of {left[0]}: a grid of one or two axes has curves"
        )
    if left:
        raise InputError(f"figure: {left[0]} is a fourth axis, which a figure has no place for: narrow the grid")
    return lines, panels


def _places(labels: Sequence[str]) -> dict[str, float]:
    """Places the labels of an axis: at their numbers where all are numbers, else one after the other."""
    try:
        return {label: float(label) for label in sorted(labels, key=float)}
    except ValueError:
        return {label: float(place) for place, label in enumerate(labels)}


def _points(
    rows: Sequence[Row], labels: Labels, x: str, places: Mapping[str, float], y: str, *, scale: Scale
) -> list[Point]:
    points = []
    for label, place in places.items():
        wanted = {**labels, x: label}
        found = [row for row in rows if all(row[column] == value for column, value in wanted.items())]
        values = [scale.number(row[y]) for row in found if row.get(y) is not None]
        if values:
            published = found[0].get(f"{REFERENCE}{y}")
            points.append(Point(place, values, None if published is None else scale.number(published)))
    return points
