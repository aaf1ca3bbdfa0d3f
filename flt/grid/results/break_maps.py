"""Where rules break as heat maps over two axes."""

import io
import math
from collections.abc import Sequence
from textwrap import fill

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.results.explaining import bound_of
from flt.grid.results.heat_maps import is_light
from flt.grid.results.listings import Overview, overviews_of
from flt.grid.results.rows import Row, panel_title

LETTERS = 11  # of a headline in an inch
COLOURS = colormaps["YlOrRd_r"]  # the earlier, the darker; what never breaks is lightest


@rc_context({"text.parse_math": False})  # a label may hold a $
def draw_break_maps(outline: Outline, rows: Sequence[Row]) -> bytes | None:
    """Draws where each line of a grid breaks, a heat map for each combination of the axes beyond two.

    Args:
        outline: The grid's outline.
        rows: Its finished runs.

    Returns:
        A PNG file's content; None where a column of the table says it all.
    """
    overviews, breaks = overviews_of(outline, rows), outline.breaks
    if not overviews or breaks is None:
        return None
    across, down = len(overviews[0].columns), len(overviews[0].rows)
    width, height = 2.6 + 0.95 * across, 1.6 + (0.4 * down + 0.9) * len(overviews)
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(overviews), 1, squeeze=False)
    levels = sorted(outline.axes[breaks.axis], key=float)
    for overview, axis in zip(overviews, axes.flat, strict=True):
        _draw(axis, overview, levels)
        axis.set_title(panel_title(overview.labels), fontsize=10)
    headline = f"{outline.title}: the smallest {readable(breaks.axis)} with a mean {bound_of(outline)}"
    figure.suptitle(fill(headline, int(LETTERS * width)) + outline.subtitle(width), fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    return content.getvalue()


def _draw(axis: Axes, overview: Overview, levels: Sequence[str]) -> None:
    """Draws one heat map; the colour is a level's place among the levels of the axis."""
    image = [[math.nan] * len(overview.columns) for _ in overview.rows]
    for (y, x), point in overview.points.items():
        if point.last is not None:
            image[y][x] = (levels.index(point.label) if point.label else len(levels)) / len(levels)
        colour = "black" if math.isnan(image[y][x]) or is_light(COLOURS(image[y][x])) else "white"
        axis.text(x, y, point.text, ha="center", va="center", fontsize=8, color=colour)
    axis.imshow(image, cmap=COLOURS, vmin=0.0, vmax=1.0, aspect="auto")
    axis.set_yticks(range(len(overview.rows)), overview.rows)
    axis.set_xticks(range(len(overview.columns)), overview.columns, rotation=30, ha="right")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_facecolor("#eeeeee")
