"""Draws `rules.png`, every rule on the same updates in two dimensions: ``python docs/draw_rules.py``."""

import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from torch import Tensor

from flt.display.style import BENIGN, MALICIOUS
from flt.federation import Aggregate, Round

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))  # no package, and nothing that users import
from catalogue import RULES, Rule
from hostile import federation_of, round_of

FIGURE = Path(__file__).with_name("rules.png")
NUM_BENIGN, NUM_MALICIOUS, COLUMNS = 16, 4, 7
AGGREGATE, ROOT = "#000000", "#E69F00"


def updates() -> Tensor:
    """Sixteen benign updates around (1, 1), and four malicious ones that agree on the opposite way."""
    draws = torch.Generator().manual_seed(7)
    benign = torch.tensor([1.0, 1.0]) + 0.55 * torch.randn(NUM_BENIGN, 2, generator=draws)
    malicious = torch.tensor([-1.6, -2.2]) + 0.12 * torch.randn(NUM_MALICIOUS, 2, generator=draws)
    return torch.cat([benign, malicious])


def example() -> Round:
    """The round that every rule gets; the root update lies beside the benign mean."""
    malicious = torch.arange(NUM_BENIGN + NUM_MALICIOUS) >= NUM_BENIGN
    federation = federation_of(num_examples=torch.full((len(malicious),), 10), malicious=malicious)
    return round_of(federation, updates(), torch.tensor([0.75, 1.05]))


def draw_rule(axes: Axes, rule: Rule, round: Round) -> None:
    """The updates, those that the rule left out hollow, and its aggregate."""
    made = rule.make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        made.on_federation(round.federation)
        aggregate: Aggregate = made.finish(made.fold(round), round)
    takes_part, weights = aggregate.judgement.takes_part, aggregate.judgement.weights
    kept = torch.ones(len(round), dtype=torch.bool) if takes_part is None else takes_part
    sizes = torch.full((len(round),), 26.0)
    if weights is not None and weights.abs().max() > 0:
        sizes = 10.0 + 45.0 * (weights.abs() / weights.abs().max()).float()
    for mask, colour in ((~round.malicious, BENIGN), (round.malicious, MALICIOUS)):
        for chosen, face in ((mask & kept, colour), (mask & ~kept, "none")):
            x, y = round.updates[chosen].T.tolist()
            axes.scatter(x, y, s=sizes[chosen].tolist(), facecolors=face, edgecolors=colour, linewidths=0.9)
    if made.needs_root_update:
        x, y = round.require_root_update().tolist()
        axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": ROOT, "lw": 1.6})
    x, y = aggregate.update.tolist()
    axes.scatter([x], [y], marker="X", s=75, color=AGGREGATE, edgecolors="white", linewidths=0.8, zorder=5)
    axes.set_title(rule.name, fontsize=7.5, pad=3)


def main() -> None:
    round = example()
    num_rows = -(-len(RULES) // COLUMNS)
    figure, grid = plt.subplots(num_rows, COLUMNS, figsize=(2.05 * COLUMNS, 2.1 * num_rows), layout="constrained")
    for axes in grid.flat:
        axes.set(xlim=(-2.6, 2.9), ylim=(-3.0, 2.9), xticks=[], yticks=[])
        axes.axhline(0, color="#ddd", lw=0.8, zorder=0)
        axes.axvline(0, color="#ddd", lw=0.8, zorder=0)
        axes.spines[:].set_color("#bbb")
    for axes, rule in zip(grid.flat, RULES, strict=False):
        draw_rule(axes, rule, round)
    for axes in grid.flat[len(RULES) :]:
        axes.remove()
    dots = {"benign": BENIGN, "malicious": MALICIOUS}
    handles = [Line2D([], [], marker="o", ls="", color=colour, label=name) for name, colour in dots.items()]
    handles.append(Line2D([], [], marker="o", ls="", mfc="none", color="#555", label="left out"))
    handles.append(Line2D([], [], color=ROOT, lw=1.6, label="root update"))
    handles.append(Line2D([], [], marker="X", ls="", color=AGGREGATE, ms=8, label="aggregate"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main()
