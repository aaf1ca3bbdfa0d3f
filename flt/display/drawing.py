"""What all figures share: letters, wrapped headlines and labels, and files that papers take."""

import io
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from PIL import Image

from flt.display.figure_style import USUAL, FigureStyle
from flt.errors import InputError

LABEL = 1.9  # inches that the label of a tick or line may take, and how many lines of them
MOST_LINES = 3
DPI = 150  # of pictures in dots
HEADLINE = 1.1  # times the size of other letters
EMBEDDED: dict[Any, Any] = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.hashsalt": "flt"}
"""Letters as TrueType: publishers refuse matplotlib's usual Type 3. The same figure is the same file every time."""
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}


@contextmanager
def drawing(style: FigureStyle) -> Iterator[None]:
    """The settings under which a figure is made; a name with a $ in it is no formula."""
    letters = {"text.parse_math": False, "font.size": style.font_size, "axes.titlesize": "medium"}
    with rc_context(EMBEDDED | letters):
        yield


def entitle(figure: Figure, title: str, style: FigureStyle, *, at_left: bool = False) -> None:
    """Sizes a figure and gives it its headline, in as many lines as it takes.

    Args:
        figure: A figure with the width and height that its content needs.
        title: The headline.
        style: What was asked for; without a height, the figure grows with the headline.
        at_left: Whether the headline begins at the left edge, rather than standing in the middle.
    """
    figure.set_figwidth(style.width or figure.get_figwidth())
    text = headline(title, figure.get_figwidth(), style)
    figure.set_figheight(style.height or figure.get_figheight() + added_by(text, style))
    if text:
        place: dict[str, Any] = {"x": 0.01, "horizontalalignment": "left"} if at_left else {}
        figure.suptitle(text, fontsize=HEADLINE * style.font_size, **place)


def headline(title: str, width: float, style: FigureStyle) -> str:
    """A headline in lines for a figure of a width in inches; nothing where none is wanted."""
    return wrapped(title, 0.96 * width, HEADLINE * style.font_size) if style.title else ""


def added_by(text: str, style: FigureStyle) -> float:
    """Inches by which a headline's lines beyond the first make a figure taller."""
    return 1.3 * HEADLINE * style.font_size / 72 * text.count("\n")


def place_legend(figure: Figure, axis: Axes, handles: Sequence[Artist], style: FigureStyle, title: str = "") -> None:
    """Tells what lines mean where the style wants it; beside the axes, the figure grows by it unless it has a width.

    Args:
        figure: The figure.
        axis: The axes that have the legend within them, where it is to be inside.
        handles: Lines with their labels.
        style: What was asked for.
        title: What all lines are.
    """
    if style.legend == "none":
        return
    look: dict[str, Any] = {"handles": handles, "title": title or None, "frameon": False, "alignment": "left"}
    if style.legend == "inside":
        axis.legend(**look | {"frameon": True, "framealpha": 0.8, "edgecolor": "none"})
        return
    if style.legend == "right":
        tall = 1.75 * style.font_size / 72 * (len(handles) + bool(title))
        columns = math.ceil(tall / figure.get_figheight())
        made = figure.legend(**look, loc="outside right upper", ncols=columns)
        if style.width is None:
            figure.set_figwidth(figure.get_figwidth() + made.get_window_extent().width / figure.dpi)
        return
    # As many columns as there is room for.
    for columns in range(min(len(handles), 8), 0, -1):
        made = figure.legend(**look, loc="outside lower center", ncols=columns)
        extent = made.get_window_extent()
        if columns == 1 or extent.width / figure.dpi <= 0.98 * figure.get_figwidth():
            break
        made.remove()
    if style.height is None:
        figure.set_figheight(figure.get_figheight() + extent.height / figure.dpi)


def wrapped(text: str, width: float, size: float) -> str:
    r"""A text in lines no longer than a width in inches, in letters of a size in points; words that are longer break.

    Example:
        >>> wrapped("one two three", 0.6, 10)
        'one two\nthree'
    """
    return "\n".join(line for paragraph in text.split("\n") for line in _lines(paragraph, width, size))


def labelled(text: str, style: FigureStyle) -> str:
    """The label of a tick or a line, in a few lines at the most."""
    lines = wrapped(text, LABEL * style.font_size / 10, style.font_size).split("\n")
    return "\n".join(lines[:MOST_LINES]) + ("…" if len(lines) > MOST_LINES else "")


def _lines(paragraph: str, width: float, size: float) -> list[str]:
    if _width(paragraph, size) <= width:  # as most do: measuring a text takes milliseconds
        return [paragraph]
    lines = [""]
    for word in paragraph.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(longer, size) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and _width(lines[-1] + letter, size) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def _width(text: str, size: float) -> float:
    """Inches that a text takes."""
    plain = text.replace("$", "S")  # which would begin a formula
    return float(TextPath((0, 0), plain, size=size).get_extents().width) / 72 if text.strip() else 0.0


def spaced(num_points: int, place: int) -> tuple[int, int]:
    """Which points of a curve have a marker: about eight, in other places for each of several curves.

    Args:
        num_points: Points of the curve.
        place: Of the curve among those of a panel.

    Returns:
        The first, and the step from one to the next, as matplotlib's ``markevery`` has them.

    Example:
        >>> spaced(5, 3), spaced(100, 0), spaced(100, 1)
        ((0, 1), (0, 12), (7, 12))
    """
    step = max(1, num_points // 8)
    return round(0.618 * place * step) % step, step  # the golden ratio keeps any number of them apart


def turn_touching_labels(figure: Figure, axes: Iterable[Axes], *, upright: bool = False) -> None:
    """Lays a figure out, and turns the labels of some axes' columns where they would touch.

    Args:
        figure: The figure.
        axes: Axes with words or numbers below them, or above as well.
        upright: Whether they are to stand upright, rather than to lean.
    """
    figure.draw_without_rendering()
    for axis in axes:
        ticks = axis.xaxis.get_major_ticks()
        boxes = [tick.label1.get_window_extent().expanded(1.08, 1.0) for tick in ticks]
        if any(first.overlaps(second) for first, second in pairwise(boxes)):
            for tick in ticks:
                for label, side in ((tick.label1, "right"), (tick.label2, "left")):
                    leaning = {"rotation": 40, "ha": side, "rotation_mode": "anchor"}
                    label.set(**({"rotation": 90} if upright else leaning))


def frame(axis: Axes) -> None:
    """A pale grid, and no frame above and to the right."""
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def check_figure_path(path: Path, name: str) -> None:
    """Raises an `InputError` unless a figure can be written to ``path``, in the format that its ending names.

    Args:
        path: The file.
        name: The setting that names it.
    """
    if path.is_dir():
        raise InputError(f"{name}={str(path)!r} is a folder: name a file in it, such as {path / 'figure.png'}")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"{name}={str(path)!r}: there is no folder {str(path.parent)!r} in which files can be written")
    probe = Figure(figsize=(0.1, 0.1))
    probe.text(0, 0, "x")
    try:
        as_file(probe, path)
    except (ValueError, RuntimeError, OSError) as error:
        formats = ", ".join(f".{ending}" for ending in sorted(probe.canvas.get_supported_filetypes()))
        raise InputError(f"{name}={str(path)!r} cannot be drawn: let it end in one of {formats}") from error


def as_file(figure: Figure, path: Path | str, style: FigureStyle = USUAL) -> bytes:
    """The content of a file called ``path`` with this figure; letters in PDF and PostScript are TrueType."""
    ending, content = Path(path).suffix.removeprefix(".").lower(), io.BytesIO()
    with drawing(style):
        if ending == "png":
            _write_png(figure, content)
        else:
            figure.savefig(content, format=ending, dpi=DPI, metadata=UNDATED.get(ending))
    return content.getvalue()


def _write_png(figure: Figure, content: io.BytesIO) -> None:
    """Draws once, where `Figure.savefig` draws a first time for the layout alone, and writes no transparency."""
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)  # whose methods have no types
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.save(content, format="png", dpi=(DPI, DPI), compress_level=3)  # a third quicker than 6, a tenth larger
