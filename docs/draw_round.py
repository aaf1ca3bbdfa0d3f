"""Draws `how-a-round-flows.png`: ``python docs/draw_round.py``."""

from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

FIGURE = Path(__file__).with_suffix("").with_name("how-a-round-flows.png")
CLIENTS, SERVER, PLUGIN, ATTACKER = "#dbe9f6", "#e3f1e3", "#fff3d6", "#f6dbe6"
WIDTH, HEIGHT = 3.1, 1.55


def box(axes: Axes, x: float, y: float, color: str, words: tuple[str, str, str], hook: str = "") -> None:
    """A step of the round, centred at ``(x, y)``: its name, what happens and the file; below it the hook it calls."""
    style = "round,pad=0,rounding_size=0.12"
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=style, facecolor=color, edgecolor="#555"))
    title, text, file = words
    centred = {"ha": "center", "va": "center"}
    axes.text(x, y + 0.5, title, fontsize=11, fontweight="bold", **centred)  # type: ignore[arg-type]
    axes.text(x, y + 0.02, text, fontsize=9, **centred)  # type: ignore[arg-type]
    axes.text(x, y - 0.54, file, fontsize=7.5, family="monospace", color="#333", **centred)  # type: ignore[arg-type]
    below = y - HEIGHT / 2 - 0.17
    axes.text(x, below, hook, fontsize=8, family="monospace", color="#8a5a00", **centred)  # type: ignore[arg-type]


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], style: str = "-|>") -> None:
    """An arrow."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": style, "lw": 1.6, "color": "#333"})


def draw() -> None:
    """The whole picture."""
    figure, axes = plt.subplots(figsize=(15.4, 7.0))
    xs, top, middle, bottom = (1.8, 5.8, 9.8, 13.8), 5.9, 3.5, 1.3
    number = ("1  number", "a training step of Lightning\nis a round", "flt/module.py")
    draws = ("2  draw", "who takes part, on which\nexamples: f(seed, number)", "flt/server/draws.py")
    training = (
        "3  local training",
        "all clients and the server\nat once: $g_i = w_i - w$",
        "flt/server/cohort.py, flt/clients/",
    )
    attack = ("4  attack", "new rows for the malicious\nclients", "callbacks/attacks/")
    receive = ("5  receive", "rows with a NaN or an\ninfinity are dropped", "flt/server/hearing.py")
    defence = ("6  defence", "clipping and the like", "a callback of yours")
    rule = ("7  rule", "one update $g$ of all $g_i$,\nand a judgement of each", "callbacks/aggregation/")
    step = ("8  step", r"$w \leftarrow w + \alpha\, g$", "flt/module.py")
    for x, words, color, hook in (
        (xs[0], number, SERVER, ""),
        (xs[1], draws, SERVER, ""),
        (xs[2], training, CLIENTS, ""),
        (xs[3], attack, ATTACKER, "on_client_updates"),
    ):
        box(axes, x, top, color, words, hook)
    for x, words, color, hook in (
        (xs[3], receive, SERVER, ""),
        (xs[2], defence, PLUGIN, "on_updates_received"),
        (xs[1], rule, PLUGIN, "aggregate"),
        (xs[0], step, SERVER, "on_round_end (metrics)"),
    ):
        box(axes, x, bottom, color, words, hook)
    for left, right in pairwise(xs):
        arrow(axes, (left + WIDTH / 2, top), (right - WIDTH / 2, top))
        arrow(axes, (right - WIDTH / 2, bottom), (left + WIDTH / 2, bottom))
    above, below = bottom + HEIGHT / 2, top - HEIGHT / 2
    arrow(axes, (xs[3], below - 0.35), (xs[3], above))
    arrow(axes, (xs[0], above), (xs[0], middle - 0.3))
    arrow(axes, (xs[0], middle + 0.3), (xs[0], below))
    arrow(axes, (xs[1], middle - 0.45), (xs[1], above), "<|-|>")
    arrow(axes, (xs[2] - 0.6, below), (xs[1] + 1.1, above))
    for x, y, text, size in (
        (xs[0], middle, "global model $w$", 11),
        (xs[1], middle, "memory of rule,\nattack and callbacks", 9),
        (xs[2] - 0.15, middle, "root update $g_0$\n(FLTrust)", 9),
        (xs[3] + 0.75, middle, "what the\nserver sees", 9),
        ((xs[1] + xs[2]) / 2, top + 0.15, "drawn", 8),
        ((xs[2] + xs[3]) / 2, top + 0.15, "Round", 8),
        ((xs[2] + xs[3]) / 2, bottom + 0.15, "Round", 8),
        ((xs[1] + xs[2]) / 2, bottom + 0.15, "Round", 8),
        ((xs[0] + xs[1]) / 2, bottom + 0.15, "Aggregate", 8),
    ):
        axes.text(x, y, text, ha="center", va="center", fontsize=size)
    axes.set(xlim=(0, 15.6), ylim=(0.1, 6.8))
    axes.axis("off")
    figure.savefig(FIGURE, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    draw()
