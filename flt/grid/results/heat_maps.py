"""A grid's results as heat maps: measured, published, and the difference."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import Any, NamedTuple

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.plan.scale import Scale
from flt.grid.results.rows import OF_WORST, REFERENCE, Row, Value, exceeds, panel_title
from flt.grid.results.selection import chosen
from flt.grid.results.table import Body, Entry, body_of, mark_of


class HeatMap(NamedTuple):
    """A kind of heat map: the number that it shows of a cell, and how.

    Attributes:
        number: The number of a measure that gives a cell its colour, if there is one.
        colours: Name of the colour map.
        form: How the number is written.
        marks: Whether cells beyond the tolerance are bold.
        names: Whether the worst is named.
    """

    number: Callable[[Value], float | None]
    colours: str
    form: Callable[[Scale, float], str]
    marks: bool = False
    names: bool = False


RATES, DIFFERENCES = "YlOrRd", "RdBu_r"
FURTHEST = 0.2  # differences from here on have the darkest colour
SHORTEST = 0.2  # scale of the rates
LONGEST = 10  # letters of a column's label that have room in a line
PLAIN, NAMED, ACROSS = 8.0, 6.0, 18  # sizes of letters, and how many of the smaller ones have room in a cell
MAPS = {
    "measured": HeatMap(lambda value: value.mean, RATES, Scale.measured, names=True),
    "published": HeatMap(lambda value: value.published, RATES, Scale.published),
    "measured - published": HeatMap(lambda value: value.difference, DIFFERENCES, Scale.difference, marks=True),
}


@rc_context({"text.parse_math": False})  # a label may hold a $
def draw_heat_maps(outline: Outline, rows: Sequence[Row]) -> bytes:
    """Draws a grid's results.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.

    Returns:
        A PNG file's content.
    """
    outline, rows = chosen(outline, rows)
    maps = MAPS if outline.source is not None else {"measured": MAPS["measured"]}
    bodies = [body_of(outline, rows, panel) for panel in outline.panels]
    levels, columns, darkest = bodies[0].rows, bodies[0].columns, _highest(rows, outline.shown[0])
    width = 1.6 + max(3.0, 0.95 * len(columns)) * len(maps)
    height = 0.9 + (0.62 * len(levels) + 0.9) * len(outline.panels)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(outline.panels), len(maps), squeeze=False, sharex=True, sharey=True)
    for panel, body, line in zip(outline.panels, bodies, axes, strict=True):
        for (name, heat_map), axis in zip(maps.items(), line, strict=True):
            _draw(axis, outline, body, heat_map, darkest)
            axis.set_title(" · ".join(part for part in (panel_title(panel), name) if part), fontsize=10)
        line[0].set_yticks(range(len(levels)), levels)
    for axis in axes[-1]:
        names = [label or "" for label in columns]
        turned = {"rotation": 30, "ha": "right"} if max(map(len, names)) > LONGEST else {}
        axis.set_xticks(range(len(columns)), names, **turned)
        if outline.columns is not None and outline.columns not in ("rule", "attack"):
            axis.set_xlabel(readable(outline.columns))
    marks = "" if outline.source is None else f"; bold: differs by more than {outline.limits}"
    figure.suptitle(f"{outline.title}: {_what(outline, rows)}{marks}{outline.subtitle(width)}", fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    return content.getvalue()


def _what(outline: Outline, rows: Sequence[Row]) -> str:
    """Names the numbers in the cells."""
    first, *others = outline.shown
    there = [outline.scale_of(name).name for name in others if any(row.get(name) is not None for row in rows)]
    return outline.scale_of(first).name + (f", below it {', '.join(there)}" if there else "")


def _highest(rows: Sequence[Row], measure: str) -> float:
    """The highest value that has a colour, as far as the scale has to go; small ones stay apart on a short scale."""
    names = (measure, f"{REFERENCE}{measure}", f"{OF_WORST}{measure}")
    return max([SHORTEST, *(float(row[name]) for row in rows for name in names if row.get(name) is not None)])


def _numbers(entry: Entry, heat_map: HeatMap) -> dict[str, float]:
    """Returns the number of each measure of a cell."""
    numbers = {measure: heat_map.number(value) for measure, value in entry.values.items()}
    return {measure: number for measure, number in numbers.items() if number is not None}


def _draw(axis: Axes, outline: Outline, body: Body, heat_map: HeatMap, darkest: float) -> None:
    """Draws one heat map: the colour is the first measure, and the numbers of all are written into the cells."""
    numbers = {place: _numbers(entry, heat_map) for place, entry in body.entries.items()}
    first, across = outline.shown[0], range(len(body.columns))
    image = [[numbers[y, x].get(first, math.nan) for x in across] for y in range(len(body.rows))]
    colours, differs = colormaps[heat_map.colours], heat_map.colours == DIFFERENCES
    scale = Normalize(-FURTHEST, FURTHEST, clip=True) if differs else Normalize(0.0, darkest)
    axis.imshow(image, cmap=colours, norm=scale, aspect="auto")
    for (y, x), entry in body.entries.items():
        number = numbers[y, x].get(first)
        colour = "black" if number is None or is_light(colours(float(scale(number)))) else "white"
        far = heat_map.marks and exceeds(entry.values, outline.tolerance_of(entry.labels))
        size = NAMED if heat_map.names and entry.levels else PLAIN
        look: dict[str, Any] = {"fontsize": size, "color": colour, "weight": "bold" if far else "normal"}
        axis.text(x, y, _text(outline, entry, numbers[y, x], heat_map), ha="center", va="center", **look)
    for y in range(len(outline.axes[outline.rows]), len(body.rows)):  # the worst and the like, apart from the others
        axis.axhline(y - 0.5, color="white", linewidth=5)
    for x in range(len(outline.column_labels), len(body.columns)):
        axis.axvline(x - 0.5, color="white", linewidth=5)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_facecolor("#eeeeee")


def _text(outline: Outline, entry: Entry, numbers: Mapping[str, float], heat_map: HeatMap) -> str:
    """The numbers of a cell; where it is the worst, whose they are, and the runner-up."""
    if entry.point:
        return entry.point.text if heat_map.names else ""
    levels = entry.levels if heat_map.names else {}
    arrow, lines = mark_of(outline, entry) if heat_map.names else "", list[str]()
    for name, number in numbers.items():
        lines.append(f"{heat_map.form(outline.scale_of(name), number)}{arrow} {levels.get(name, '')}".rstrip())
        arrow = ""  # which is of the first measure
    if levels and entry.runner_up:
        lines.insert(1, entry.second(outline.scale_of(outline.shown[0])))
    return "\n".join(fill(line, ACROSS) for line in lines) or "-"


def is_light(colour: tuple[float, float, float, float]) -> bool:
    """Whether black has more contrast with a colour than white has, by their relative luminance in WCAG 2."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179
