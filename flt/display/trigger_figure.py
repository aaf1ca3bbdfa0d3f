"""Examples without and with a backdoor's trigger."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from flt.display.drawing import HEADLINE, headline
from flt.display.figure_style import USUAL, FigureStyle
from flt.display.overview import TriggerExamples
from flt.display.style import OTHERS, SUCCESS

PLAIN = "#555555"


def height_of(trigger: TriggerExamples) -> float:
    """Inches that the figure of a trigger needs."""
    height = 2.5 if trigger.are_images else 2.8
    return 2 * height - 0.4 if trigger.are_images and trigger.parts is not None else height


def draw_trigger(
    figure: Figure | SubFigure,
    trigger: TriggerExamples,
    class_names: Sequence[str],
    style: FigureStyle = USUAL,
) -> None:
    """Draws test examples before and after the trigger is embedded: images beside each other, vectors as curves.

    Where single clients embed parts of the trigger, the first example is drawn with each of them as well.

    Args:
        figure: Where to draw.
        trigger: The examples.
        class_names: Names of the classes.
        style: Letters and headline.
    """
    target = shorten(class_names[trigger.target_class])
    if trigger.has_pattern:
        title = f"Backdoor trigger of {trigger.origin}: examples with it are to be taken for class {target}"
    else:
        title = (
            f"Backdoor of {trigger.origin} without a pattern: examples like these are to be taken for class {target}"
        )
    wide = figure.bbox.width / figure.dpi
    figure.suptitle(headline(title, wide, style), fontsize=HEADLINE * style.font_size)
    if trigger.are_images and trigger.parts is not None:
        figure, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
        _draw_parts(below, trigger.before[0], trigger.parts)
    panels = figure.subfigures(1, len(trigger.labels), squeeze=False)[0]
    for number, (panel, label) in enumerate(zip(panels, trigger.labels, strict=True)):
        name, before, after = f"class {shorten(class_names[label])}", trigger.before[number], trigger.after[number]
        if trigger.are_images:
            _draw_images(panel, name, before, after, has_pattern=trigger.has_pattern)
        else:
            parts = None if trigger.parts is None or number else trigger.parts
            _draw_vectors(panel, name, before, after, parts)


def _draw_images(panel: SubFigure, name: str, before: Tensor, after: Tensor, *, has_pattern: bool) -> None:
    shown = {name: _pixels(before)}
    if has_pattern:
        title, difference = _difference(before, after)
        shown |= {"with the trigger": _pixels(after), title: difference}
    for axis, (title, pixels) in zip(panel.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        _show(axis, title, pixels)


def _draw_parts(panel: SubFigure, before: Tensor, parts: Tensor) -> None:
    for number, (axis, after) in enumerate(zip(panel.subplots(1, len(parts), squeeze=False)[0], parts, strict=True)):
        changed = int((before != after).any(0).sum())
        _show(axis, f"part {number + 1}: {changed} pixels", _pixels(after))


def _show(axis: Axes, title: str, pixels: np.ndarray) -> None:
    axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_title(title, fontsize="medium")
    axis.set_xticks([])
    axis.set_yticks([])


def _difference(before: Tensor, after: Tensor) -> tuple[str, np.ndarray]:
    """Which pixels a trigger changes, and by how much where it changes most of them: title and RGB image."""
    changed = (before != after).any(0)
    by = (after - before).abs().amax(0)
    if int(changed.sum()) * 4 <= changed.numel():
        return f"difference: {int(changed.sum())} pixels", np.where(changed[..., None], to_rgb(SUCCESS), 1.0)
    share = np.asarray(by / by.max())[..., None]
    return f"difference: up to {float(by.max()):.2g}", 1 - share * (1 - np.array(to_rgb(SUCCESS)))


def _pixels(image: Tensor) -> np.ndarray:
    """Turns an image [channels, height, width] into grey [height, width] or RGB [height, width, 3], from 0 to 1."""
    pixels = image[:3].permute(1, 2, 0) if len(image) >= 3 else image[0]
    return np.asarray(pixels.clamp(0, 1))


def _draw_vectors(panel: SubFigure, name: str, before: Tensor, after: Tensor, parts: Tensor | None) -> None:
    axis = panel.subplots()
    old, new = before.flatten().numpy(), after.flatten().numpy()
    axis.plot(old, color=PLAIN, linewidth=0.7)
    if parts is None:
        changed = int((old != new).sum())
        _draw_changes(axis, old, new, f"trigger: {changed} features changed", SUCCESS)
    else:
        for number, part in enumerate(parts.flatten(1).numpy()):
            changed = int((old != part).sum())
            _draw_changes(axis, old, part, f"part {number + 1} ({changed})", OTHERS[number % len(OTHERS)])
    axis.set_title(name, fontsize="medium", loc="left")
    axis.set_xlabel("feature")
    axis.set_ylabel("value")
    axis.margins(x=0.01)
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_legend_handles_labels()[0]:
        columns = 1 if parts is None else min(len(parts), 4)
        where: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0}
        axis.legend(frameon=False, ncols=columns, fontsize="small", handletextpad=0.0, columnspacing=0.6, **where)


def _draw_changes(axis: Axes, old: np.ndarray, new: np.ndarray, name: str, color: str) -> None:
    (changed,) = np.nonzero(old != new)
    if not len(changed):
        return
    axis.vlines(changed, old[changed], new[changed], color=color, linewidth=1.0)
    size = 3.5 if len(changed) <= len(old) // 4 else 1.0
    axis.plot(changed, new[changed], "o", color=color, markersize=size, label=name)


def shorten(name: str, most: int = 18) -> str:
    """Cuts a name that is too long for a figure."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
