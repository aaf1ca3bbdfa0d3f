"""A grid's results as heat maps: measured, published, and the difference."""

import io
import math
from collections.abc import Callable, Sequence

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from flt.grid.naming import MEASURES, readable
from flt.grid.outline import Outline
from flt.grid.results import Row, Value, panel_title, values_of

Numbers = Callable[[Value], float | None]

RATES, DIFFERENCES = "YlOrRd", "RdBu_r"
FURTHEST = 0.2  # differences from here on have the darkest colour
SHORTEST = 0.2  # scale of the rates
MAPS: dict[str, tuple[Numbers, str, str]] = {
    "measured": (lambda value: value.mean, RATES, "{:.3f}"),
    "published": (lambda value: value.published, RATES, "{:.2f}"),
    "measured - published": (lambda value: value.difference, DIFFERENCES, "{:+.3f}"),
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
    maps = MAPS if outline.source is not None else {"measured": MAPS["measured"]}
    levels, columns, darkest = outline.axes[outline.rows], outline.column_labels, _highest(rows)
    width = 1.6 + max(3.0, 0.95 * len(columns)) * len(maps)
    height = 0.9 + (0.62 * len(levels) + 0.9) * len(outline.panels)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(outline.panels), len(maps), squeeze=False, sharex=True, sharey=True)
    for panel, line in zip(outline.panels, axes, strict=True):
        cells = [[values_of(rows, outline.labels_at(panel, row, column)) for column in columns] for row in levels]
        for (name, (number, colours, form)), axis in zip(maps.items(), line, strict=True):
            scale = Normalize(-FURTHEST, FURTHEST, clip=True) if colours == DIFFERENCES else Normalize(0.0, darkest)
            _draw(axis, cells, number, form, colormaps[colours], scale)
            axis.set_title(" · ".join(part for part in (panel_title(panel), name) if part), fontsize=10)
        line[0].set_yticks(range(len(levels)), levels)
    for axis in axes[-1]:
        axis.set_xticks(range(len(columns)), [label or "" for label in columns], rotation=30, ha="right")
        if outline.columns is not None and outline.columns not in ("rule", "attack"):
            axis.set_xlabel(readable(outline.columns))
    figure.suptitle(f"{outline.title}: {_what(rows)}", fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    return content.getvalue()


def _what(rows: Sequence[Row]) -> str:
    """What the numbers in the cells are."""
    backdoor = any(row["attack_success_rate"] is not None for row in rows)
    return MEASURES["testing_error_rate"] + (", below it attack success rate" if backdoor else "")


def _highest(rows: Sequence[Row]) -> float:
    """The highest rate that has a colour, as far as the scale has to go; small ones stay apart on a short scale."""
    names = ("testing_error_rate", "reference_testing_error_rate")
    return max([SHORTEST, *(float(row[name]) for row in rows for name in names if row.get(name) is not None)])


def _draw(
    axis: Axes, cells: list[list[dict[str, Value]]], number: Numbers, form: str, colours: Colormap, scale: Normalize
) -> None:
    """One heat map: colour is the testing error rate, and the numbers are written into the cells."""
    numbers = [[{name: number(value) for name, value in cell.items()} for cell in line] for line in cells]
    shown = [[cell.get("testing_error_rate") for cell in line] for line in numbers]
    image = [[math.nan if value is None else value for value in line] for line in shown]
    axis.imshow(image, cmap=colours, norm=scale, aspect="auto")
    for y, line in enumerate(numbers):
        for x, cell in enumerate(line):
            lines = [form.format(value) for value in cell.values() if value is not None]
            error = shown[y][x]
            dark = error is not None and _is_dark(colours(float(scale(error))))
            axis.text(
                x, y, "\n".join(lines) or "-", ha="center", va="center", fontsize=8, color="white" if dark else "black"
            )
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_facecolor("#eeeeee")


def _is_dark(colour: tuple[float, float, float, float]) -> bool:
    red, green, blue, _ = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
