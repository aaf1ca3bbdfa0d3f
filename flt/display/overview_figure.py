"""The figure of the data: clients by classes, the root dataset, and examples with a backdoor's trigger."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from torch import Tensor

from flt.display.drawing import HEADLINE, added_by, drawing, headline, wrapped
from flt.display.figure_style import USUAL, FigureStyle
from flt.display.overview import DataOverview
from flt.display.style import BENIGN, MALICIOUS, ROOT
from flt.display.trigger_figure import draw_trigger, height_of, shorten

COUNTS = "Greys"  # light is few, dark is many, also for the colour-blind and in print
WIDTH = 11.0
MOST_LABELS = 25
MOST_COLUMNS = 800


def draw_overview(overview: DataOverview, style: FigureStyle = USUAL) -> Figure:
    """Draws the clients' data beside the root dataset, above a few examples with the backdoor's trigger."""
    width = style.width or WIDTH
    top = 2.6 + min(3.5, 0.2 * max(4, overview.num_classes)) + added_by(_title(overview, width, style), style)
    bottom = 0.0 if overview.trigger is None else height_of(overview.trigger)
    with drawing(style):
        figure = Figure(figsize=(width, style.height or top + bottom), layout="constrained")
        if overview.trigger is None:
            draw_counts(figure, overview, style)
            return figure
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(top, bottom), hspace=0.04)[:, 0]
        draw_counts(above, overview, style)
        draw_trigger(below, overview.trigger, overview.class_names, style)
    return figure


def _title(overview: DataOverview, width: float, style: FigureStyle) -> str:
    title = f"{overview.title}: {overview.num_clients:,} clients, partition: {overview.partition}"
    return headline(title, width, style)


def draw_counts(figure: Figure | SubFigure, overview: DataOverview, style: FigureStyle = USUAL) -> None:
    """Draws clients by classes: their sizes above, marks of malicious ones below, the root dataset to the right.

    Where there are more clients than `MOST_COLUMNS`, a column is the mean of several neighbours.

    Args:
        figure: Where to draw.
        overview: The data in numbers.
        style: Letters, headline and legend.
    """
    grid = figure.add_gridspec(2, 3, height_ratios=(1.0, 4.0), width_ratios=(1.0, 0.018, 0.24))
    heat = figure.add_subplot(grid[1, 0])
    per_column = -(-overview.num_clients // MOST_COLUMNS)
    label = "examples" if per_column == 1 else f"examples (mean of {per_column} clients)"
    figure.colorbar(_draw_heat(heat, overview, per_column), cax=figure.add_subplot(grid[1, 1]), label=label)
    sizes = figure.add_subplot(grid[0, 0], sharex=heat)
    _draw_sizes(sizes, overview, per_column)
    _add_legend(figure, sizes, overview, style)
    if overview.num_malicious:
        heat.tick_params(labelbottom=False)
        _draw_malicious(heat.inset_axes((0.0, -0.075, 1.0, 0.055), sharex=heat), overview, per_column)
    else:
        heat.set_xlabel("client")
    _draw_root(figure.add_subplot(grid[1, 2], sharey=heat), overview)
    corner = figure.add_subplot(grid[0, 2])  # a title of the panel below would push the rows apart
    corner.axis("off")
    width = figure.bbox.width / figure.dpi
    about_root = wrapped(
        f"{int(overview.root_counts.sum()):,} examples, {overview.root}", 0.16 * width, style.font_size
    )
    corner.text(0, 0, f"root dataset:\n{about_root}", va="bottom")
    figure.suptitle(_title(overview, width, style), fontsize=HEADLINE * style.font_size)


def _draw_heat(axis: Axes, overview: DataOverview, per_column: int) -> AxesImage:
    counts = _means(overview.counts, per_column).T
    extent = (-0.5, counts.shape[1] * per_column - 0.5, overview.num_classes - 0.5, -0.5)
    image = axis.imshow(counts, COUNTS, aspect="auto", interpolation="nearest", vmin=0, extent=extent)
    axis.set_xlim(-0.5, overview.num_clients - 0.5)
    axis.set_xticks(spread(overview.num_clients, 50 // len(str(overview.num_clients))))
    shown = spread(overview.num_classes, MOST_LABELS)
    axis.set_yticks(shown, [shorten(overview.class_names[label]) for label in shown])
    axis.set_ylabel("class")
    return image


def _draw_sizes(axis: Axes, overview: DataOverview, per_column: int) -> None:
    """Draws bars as wide as the heat map's columns; the malicious clients' examples stand on those of benign ones."""
    sizes = overview.counts.sum(1)
    total, benign = _means(sizes, per_column), _means(sizes * ~overview.malicious, per_column)
    edges = _edges(overview, per_column)
    axis.stairs(benign, edges, fill=True, color=BENIGN)
    axis.stairs(total, edges, baseline=benign, fill=True, color=MALICIOUS)
    axis.set_ylim(0, max(1, total.max()) * 1.05)
    axis.set_ylabel("examples")
    axis.tick_params(labelbottom=False)
    axis.spines[["top", "right"]].set_visible(False)


def _add_legend(figure: Figure | SubFigure, axis: Axes, overview: DataOverview, style: FigureStyle) -> None:
    number = overview.num_malicious
    handles = [Patch(color=BENIGN, label=f"benign: {overview.num_clients - number:,}")]
    if number:
        handles.append(Patch(color=MALICIOUS, label=f"malicious: {number:,} ({overview.attack})"))
    look: dict[str, Any] = {"handles": handles, "frameon": False, "ncols": 2}
    if style.legend == "below":
        figure.legend(**look, loc="outside lower center")
    elif style.legend == "inside":
        axis.legend(**look, loc="best")
    elif style.legend == "right":
        axis.legend(**look, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)


def _draw_malicious(axis: Axes, overview: DataOverview, per_column: int) -> None:
    """Draws a mark under every malicious client, as high as the share of malicious clients in the column."""
    share = _means(overview.malicious, per_column)
    axis.stairs(share, _edges(overview, per_column), fill=True, color=MALICIOUS)
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.set_xlabel("client")
    axis.set_ylabel("malicious", rotation="horizontal", ha="right", va="center")
    axis.spines[["top", "right", "left"]].set_visible(False)


def _means(values: Tensor, per_column: int) -> np.ndarray:
    """Returns means over ``per_column`` neighbours of the first dimension; the last one may be over fewer."""
    return np.stack([part.float().mean(0).numpy() for part in torch.split(values, per_column)])


def _edges(overview: DataOverview, per_column: int) -> list[float]:
    """Returns the edges of the heat map's columns, one more than there are columns."""
    starts = range(0, overview.num_clients, per_column)
    return [*(start - 0.5 for start in starts), overview.num_clients - 0.5]


def _draw_root(axis: Axes, overview: DataOverview) -> None:
    counts = overview.root_counts.numpy()
    bars = axis.barh(range(overview.num_classes), counts, color=ROOT)
    if overview.num_classes <= MOST_LABELS:
        axis.bar_label(bars, padding=3)
    axis.set_xlim(0, max(1, counts.max()) * 1.2)
    axis.set_xlabel("examples")
    axis.spines[["top", "right"]].set_visible(False)


def spread(count: int, most: int) -> list[int]:
    """Returns every number below ``count``, or round ones at equal distances, ``most`` at the most.

    Example:
        >>> spread(3, 10), spread(100, 10)
        ([0, 1, 2], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
    """
    steps = (factor * 10**power for power in range(19) for factor in (1, 2, 5))
    return list(range(0, count, next(step for step in steps if count <= step * most)))
