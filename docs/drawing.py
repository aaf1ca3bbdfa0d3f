"""What the pictures of rules and of attacks share: updates of two parameters, and a panel for each row of a table."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from flt.display.style import BENIGN, MALICIOUS, ROOT
from flt.federation import Round

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # no package, and nothing that users import
from hostile import federation_of, round_of

NUM_BENIGN, NUM_MALICIOUS = 16, 4
LEFT, RIGHT, LOW, HIGH = -2.6, 2.9, -3.0, 2.9
DOTS = {"benign": BENIGN, "malicious": MALICIOUS}


def benign_updates(draws: torch.Generator) -> Tensor:
    """Sixteen benign updates around (1, 1)."""
    return torch.tensor([1.0, 1.0]) + 0.55 * torch.randn(NUM_BENIGN, 2, generator=draws)


def round_with(updates: Tensor) -> Round:
    """A round whose last clients are malicious; the root update lies beside the benign mean."""
    malicious = torch.arange(NUM_BENIGN + NUM_MALICIOUS) >= NUM_BENIGN
    federation = federation_of(num_examples=torch.full((len(malicious),), 10), malicious=malicious)
    return round_of(federation, updates, torch.tensor([0.75, 1.05]))


def panels(names: Sequence[str], columns: int) -> tuple[Figure, Iterator[Axes]]:
    """A figure with a panel for each name."""
    num_rows = -(-len(names) // columns)
    figure, grid = plt.subplots(num_rows, columns, figsize=(2.05 * columns, 2.1 * num_rows), layout="constrained")
    for axes, name in zip(grid.flat, names, strict=False):
        axes.set(xlim=(LEFT, RIGHT), ylim=(LOW, HIGH), xticks=[], yticks=[])
        axes.axhline(0, color="#ddd", lw=0.8, zorder=0)
        axes.axvline(0, color="#ddd", lw=0.8, zorder=0)
        axes.spines[:].set_color("#bbb")
        axes.set_title(name, fontsize=7.5, pad=3)
    for axes in grid.flat[len(names) :]:
        axes.remove()
    return figure, iter(grid.flat[: len(names)])


def draw_root_update(axes: Axes, round: Round) -> None:
    """An arrow for the update on the root dataset."""
    x, y = round.require_root_update().tolist()
    axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": ROOT, "lw": 1.6})


def explain(figure: Figure, **marks: dict[str, Any]) -> None:
    """A legend below: dots of both kinds of clients, the root update, and further marks by their names."""
    handles = [Line2D([], [], marker="o", ls="", color=colour, label=name) for name, colour in DOTS.items()]
    handles += [Line2D([], [], ls="", label=name.replace("_", " "), **look) for name, look in marks.items()]
    handles.append(Line2D([], [], color=ROOT, lw=1.6, label="root update"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
