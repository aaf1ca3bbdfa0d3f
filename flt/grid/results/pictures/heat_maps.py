"""A grid's results as heat maps: measured, published, and the difference."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from flt.display.drawing import drawing, entitle, labelled, turn_touching_labels
from flt.display.figure_style import USUAL, FigureStyle
from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.plan.scale import Scale
from flt.grid.results.pictures.colour_scales import ColourScale, is_light, scale_of_differences, scale_of_measure
from flt.grid.results.rows import OF_WORST, REFERENCE, Row, Value, exceeds, panel_title
from flt.grid.results.selection import chosen
from flt.grid.results.table import Body, Entry, body_of, mark_of, measured_text, published_text


class HeatMap(NamedTuple):
    """A kind of heat map: the number that it shows of a cell, and how.

    Attributes:
        number: The number of a measure that gives it its colour, if there is one.
        text: How the number is written.
        differs: Whether it is of differences, of which those beyond the tolerance are bold.
        names: Whether the worst is named.
    """

    number: Callable[[Value], float | None]
    text: Callable[[Scale, Value], str]
    differs: bool = False
    names: bool = False


class Strip(NamedTuple):
    """A part of a cell from edge to edge: a measure's number in writing, its colour, and the size of its letters."""

    text: str
    colour: tuple[float, float, float, float]
    size: float

    @property
    def height(self) -> float:
        """Inches that it needs, of letters of 10 points."""
        return self.size * LINE * (1 + self.text.count("\n")) + MARGIN


ACROSS = 18  # letters that have room in a cell
MISSING = (0.93, 0.93, 0.93, 1.0)
LINE, MARGIN, CELL = 0.18, 0.12, 1.05  # inches: a line in a cell, what is around a strip's lines, a cell's width
BESIDE, ABOVE = 1.7, 0.85  # of the labels beside the cells, and of title and labels above and below them
PLAIN, NAMED = 0.8, 0.6  # sizes of letters in cells, where those of others are 1
TALL = 15  # rows from which columns have their labels above as well


MAPS = {
    "measured": HeatMap(lambda value: value.mean, measured_text, names=True),
    "published": HeatMap(lambda value: value.published, published_text),
    "measured - published": HeatMap(
        lambda value: value.difference, lambda scale, value: scale.difference(value.difference or 0.0), differs=True
    ),
}


def draw_heat_maps(outline: Outline, rows: Sequence[Row], style: FigureStyle = USUAL) -> Figure:
    """Draws a grid's results: each cell has a strip for each measure, in the colours of that measure.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
        style: Size, letters and headline.
    """
    outline, rows = chosen(outline, rows)
    maps = MAPS if outline.source is not None else {"measured": MAPS["measured"]}
    bodies = [body_of(outline, rows, panel) for panel in outline.panels]
    scales = {measure: _scale(outline, rows, measure) for measure in outline.shown if _is_there(rows, measure)}
    drawn = {name: [_strips(outline, body, heat_map, scales) for body in bodies] for name, heat_map in maps.items()}
    down, across = len(bodies[0].rows), len(bodies[0].columns)
    every = [cells for of_map in drawn.values() for cells in of_map]
    heights = [max(_height(cells[y, x]) for cells in every for x in range(across)) for y in range(down)]
    with drawing(style):
        width = BESIDE + max(3.0, CELL * across) * len(maps)
        bars = 0.7 * (len(scales) if outline.source is None else max(1, len(scales)))
        height = (sum(heights) + 0.9) * len(bodies) + ABOVE + bars
        figure = Figure(figsize=(width, height * style.font_size / 10), layout="constrained")
        marks = "" if outline.source is None else f"; bold: differs by more than {outline.limits}"
        title = f"{outline.title}: {_what(outline, rows)}{marks}{outline.subtitle}"
        entitle(figure, title, style)
        axes = figure.subplots(len(bodies), len(maps), squeeze=False, sharex=True, sharey=True)
        several = len(maps) > 1
        for y, (panel, body) in enumerate(zip(outline.panels, bodies, strict=True)):
            for axis, (name, heat_map) in zip(axes[y], maps.items(), strict=True):
                _draw(axis, outline, body, drawn[name][y], heights, heat_map, style)
                axis.set_title(labelled(" · ".join(filter(None, [panel_title(panel), name * several])), style))
            middles = [sum(heights[:row]) + heights[row] / 2 for row in range(down)]
            axes[y][0].set_yticks(middles, [labelled(label, style) for label in body.rows])
        _label_columns(axes, outline, bodies[0], style)
        _add_bars(figure, axes, outline, scales)
        _fit(figure, list(axes.flat))
    return figure


def _what(outline: Outline, rows: Sequence[Row]) -> str:
    """Names the numbers in the cells."""
    first, *others = outline.shown
    there = [outline.scale_of(name).name for name in others if _is_there(rows, name)]
    return outline.scale_of(first).name + (f", below it {', '.join(there)}" if there else "")


def _is_there(rows: Sequence[Row], measure: str) -> bool:
    return any(row.get(measure) is not None for row in rows)


def _scale(outline: Outline, rows: Sequence[Row], measure: str) -> ColourScale:
    names = (measure, f"{REFERENCE}{measure}", f"{OF_WORST}{measure}")
    highest = max(float(row[name]) for row in rows for name in names if row.get(name) is not None)
    return scale_of_measure(measure, outline.scale_of(measure), highest)


def _strips(
    outline: Outline, body: Body, heat_map: HeatMap, scales: Mapping[str, ColourScale]
) -> dict[tuple[int, int], list[Strip]]:
    """The strips of each cell."""
    return {place: _strips_of(outline, entry, heat_map, scales) for place, entry in body.entries.items()}


def _strips_of(outline: Outline, entry: Entry, heat_map: HeatMap, scales: Mapping[str, ColourScale]) -> list[Strip]:
    """What a cell shows of each measure; where it is the worst, whose each is, and the runner-up of the first."""
    if entry.point:
        return [Strip(entry.point.text if heat_map.names else "", MISSING, PLAIN)]
    strips = list[Strip]()
    for measure, value in entry.values.items():
        number, scale = heat_map.number(value), outline.scale_of(measure)
        if number is None:
            continue
        arrow = mark_of(outline, entry) if heat_map.names and not strips else ""
        level = entry.levels.get(measure, "") if heat_map.names else ""
        lines = [f"{heat_map.text(scale, value)}{arrow} {level}".rstrip()]
        if level and not strips and (aside := entry.aside(scale)):
            lines.append(aside)
        colours = scale_of_differences(scale) if heat_map.differs else scales[measure]
        strips.append(
            Strip("\n".join(fill(line, ACROSS) for line in lines), colours.of(number), NAMED if level else PLAIN)
        )
    return strips or [Strip("-", MISSING, PLAIN)]


def _height(strips: Sequence[Strip]) -> float:
    return sum(strip.height for strip in strips)


def _draw(
    axis: Axes,
    outline: Outline,
    body: Body,
    cells: Mapping[tuple[int, int], Sequence[Strip]],
    heights: Sequence[float],
    heat_map: HeatMap,
    style: FigureStyle,
) -> None:
    """Draws one heat map, whose rows are as tall as they need to be."""
    for (y, x), strips in cells.items():
        entry = body.entries[y, x]
        far = heat_map.differs and exceeds(entry.values, outline.tolerance_of(entry.labels))
        top = sum(heights[:y])
        for strip in strips:
            height = heights[y] * strip.height / _height(strips)
            axis.add_patch(Rectangle((x - 0.5, top), 1.0, height, facecolor=strip.colour, linewidth=0))
            look: dict[str, Any] = {
                "color": "black" if is_light(strip.colour) else "white",
                "fontsize": strip.size * style.font_size,
            }
            look["weight"] = "bold" if far else "normal"
            axis.text(x, top + height / 2, strip.text, ha="center", va="center", **look)
            top += height
    across, down = len(body.columns), len(body.rows)
    axis.set(xlim=(-0.5, across - 0.5), ylim=(sum(heights), 0.0), facecolor=MISSING, xticks=[])
    for y in range(1, down):  # the worst and the like stand apart from the others
        axis.axhline(sum(heights[:y]), color="white", linewidth=1 if y < len(outline.axes[outline.rows]) else 5)
    for x in range(1, across):
        axis.axvline(x - 0.5, color="white", linewidth=1 if x < len(outline.column_labels) else 5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _label_columns(axes: Any, outline: Outline, body: Body, style: FigureStyle) -> None:
    """Writes the columns' labels below the last maps, in a tall figure above the first ones as well."""
    names = [labelled(label or "", style) for label in body.columns]
    for axis in axes[-1]:
        axis.set_xticks(range(len(names)), names)
        if outline.columns is not None and outline.columns not in ("rule", "attack"):
            axis.set_xlabel(readable(outline.columns))
        if len(body.rows) > TALL:
            axis.tick_params(labeltop=True)


def _add_bars(figure: Figure, axes: Any, outline: Outline, scales: Mapping[str, ColourScale]) -> None:
    """Adds colour bars: of the measures below the first maps, of differences below the last ones."""
    has_differences = outline.source is not None
    for scale in [*scales.values()][::-1]:
        below = axes[:, :-1] if has_differences else axes
        scale.add_bar(figure, list(below.flat), below.shape[1] / axes.shape[1])
    if has_differences:
        of_first = scale_of_differences(outline.scale_of(outline.shown[0]))
        of_first.add_bar(figure, list(axes[:, -1:].flat), 1 / axes.shape[1])


def _fit(figure: Figure, axes: Sequence[Axes]) -> None:
    """Makes the letters in the cells as small as the cells of a figure of a given size ask for."""
    turn_touching_labels(figure, axes)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # all has its place
    share, texts = 1.0, list[Text]()
    for axis in axes:
        texts += axis.texts
        for strip, text in zip(axis.patches, axis.texts, strict=True):
            room, own = strip.get_window_extent(), text.get_window_extent()
            share = min(share, 0.88 * room.width / max(own.width, 1.0), 0.9 * room.height / max(own.height, 1.0))
    for text in texts if share < 1.0 else []:
        text.set_fontsize(share * float(text.get_fontsize()))
