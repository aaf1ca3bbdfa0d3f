"""Where rules break as heat maps over two axes."""

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flt.display.drawing import drawing, entitle, labelled
from flt.display.figure_style import USUAL, FigureStyle
from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.results.explaining import bound_of
from flt.grid.results.listings import Overview, overviews_of
from flt.grid.results.pictures.colour_scales import is_light
from flt.grid.results.rows import Row, panel_title

COLOURS = colormaps["Greys_r"]  # the earlier, the darker; what never breaks is lightest


def draw_break_maps(outline: Outline, rows: Sequence[Row], style: FigureStyle = USUAL) -> Figure | None:
    """Draws where each line of a grid breaks, a heat map for each combination of the axes beyond two.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.
        style: Size, letters and headline.

    Returns:
        The figure; None where a column of the table says it all.
    """
    overviews, breaks = overviews_of(outline, rows), outline.breaks
    if not overviews or breaks is None:
        return None
    across, down = len(overviews[0].columns), len(overviews[0].rows)
    width, height = 2.6 + 0.95 * across, 1.6 + (0.4 * down + 0.9) * len(overviews)
    levels = sorted(outline.axes[breaks.axis], key=float)
    with drawing(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        headline = f"{outline.title}: the smallest {readable(breaks.axis)} with a mean {bound_of(outline)}"
        entitle(figure, headline + outline.subtitle, style)
        axes = figure.subplots(len(overviews), 1, squeeze=False)
        for overview, axis in zip(overviews, axes.flat, strict=True):
            _draw(axis, overview, levels, style)
            axis.set_title(labelled(panel_title(overview.labels), style))
    return figure


def _draw(axis: Axes, overview: Overview, levels: Sequence[str], style: FigureStyle) -> None:
    """Draws one heat map; the colour is a level's place among the levels of the axis."""
    image = [[math.nan] * len(overview.columns) for _ in overview.rows]
    for (y, x), point in overview.points.items():
        if point.label is not None or point.last is not None:
            image[y][x] = (levels.index(point.label) if point.label else len(levels)) / len(levels)
        colour = "black" if math.isnan(image[y][x]) or is_light(COLOURS(image[y][x])) else "white"
        axis.text(x, y, point.text, ha="center", va="center", fontsize="small", color=colour)
    axis.imshow(image, cmap=COLOURS, vmin=0.0, vmax=1.0, aspect="auto")
    axis.set_yticks(range(len(overview.rows)), [labelled(label, style) for label in overview.rows])
    names = [labelled(label, style) for label in overview.columns]
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_facecolor("#dbe9f6")
