"""Examples without and with a backdoor's trigger."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from flt.display.overview import TriggerExamples
from flt.display.style import SUCCESS

PLAIN = "#555555"


def draw_trigger(figure: Figure | SubFigure, trigger: TriggerExamples, class_names: Sequence[str]) -> None:
    """Draws test examples before and after the trigger is embedded: images beside each other, vectors as curves.

    Args:
        figure: Where to draw.
        trigger: The examples.
        class_names: Names of the classes.
    """
    target = shorten(class_names[trigger.target_class])
    figure.suptitle(f"Backdoor trigger of {trigger.origin}: examples with it are to be taken for class {target}")
    panels = figure.subfigures(1, len(trigger.labels), squeeze=False)[0]
    draw = _draw_images if trigger.are_images else _draw_vectors
    for panel, label, before, after in zip(panels, trigger.labels, trigger.before, trigger.after, strict=True):
        draw(panel, f"class {shorten(class_names[label])}", before, after)


def _draw_images(panel: SubFigure, name: str, before: Tensor, after: Tensor) -> None:
    changed = (before != after).any(0).numpy()
    marked = np.where(changed[..., None], to_rgb(SUCCESS), 1.0)
    shown = {
        name: _pixels(before),
        "with the trigger": _pixels(after),
        f"difference: {changed.sum()} pixels": marked,
    }
    for axis, (title, pixels) in zip(panel.subplots(1, 3), shown.items(), strict=True):
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])


def _pixels(image: Tensor) -> np.ndarray:
    """Turns an image [channels, height, width] into grey [height, width] or RGB [height, width, 3], from 0 to 1."""
    pixels = image[:3].permute(1, 2, 0) if len(image) >= 3 else image[0]
    return np.asarray(pixels.clamp(0, 1))


def _draw_vectors(panel: SubFigure, name: str, before: Tensor, after: Tensor) -> None:
    axis = panel.subplots()
    old, new = before.flatten().numpy(), after.flatten().numpy()
    (changed,) = np.nonzero(old != new)
    axis.plot(old, color=PLAIN, linewidth=0.7)
    axis.vlines(changed, old[changed], new[changed], color=SUCCESS, linewidth=1.0)
    axis.plot(
        changed, new[changed], "o", color=SUCCESS, markersize=3.5, label=f"trigger: {len(changed)} features changed"
    )
    axis.set_title(name, fontsize=10, loc="left")
    axis.set_xlabel("feature")
    axis.set_ylabel("value")
    axis.margins(x=0.01)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)


def shorten(name: str, most: int = 18) -> str:
    """Cuts a name that is too long for a figure."""
    return name if len(name) <= most else f"{name[: most - 1]}…"
