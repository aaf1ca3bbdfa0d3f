"""Draws `rules.png`, every rule on the same updates in two dimensions: ``python docs/draw_rules.py``."""

import sys
import warnings
from pathlib import Path

import torch
from matplotlib.axes import Axes

from flt.federation import Aggregate, Round

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests" / "helpers")]
from catalogue import RULES, Rule
from drawing import DOTS, NUM_MALICIOUS, benign_updates, draw_root_update, explain, panels, round_with

FIGURE = Path(__file__).with_name("rules.png")
COLUMNS = 7
AGGREGATE = "#000000"


def example() -> Round:
    """The round that every rule gets: four malicious updates agree on the opposite way."""
    draws = torch.Generator().manual_seed(7)
    benign = benign_updates(draws)
    malicious = torch.tensor([-1.6, -2.2]) + 0.12 * torch.randn(NUM_MALICIOUS, 2, generator=draws)
    return round_with(torch.cat([benign, malicious]))


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
    for mask, colour in zip((~round.malicious, round.malicious), DOTS.values(), strict=True):
        for chosen, face in ((mask & kept, colour), (mask & ~kept, "none")):
            x, y = round.updates[chosen].T.tolist()
            axes.scatter(x, y, s=sizes[chosen].tolist(), facecolors=face, edgecolors=colour, linewidths=0.9)
    if made.needs_root_update:
        draw_root_update(axes, round)
    x, y = aggregate.update.tolist()
    axes.scatter([x], [y], marker="X", s=75, color=AGGREGATE, edgecolors="white", linewidths=0.8, zorder=5)


def main() -> None:
    figure, places = panels([rule.name for rule in RULES], COLUMNS)
    for axes, rule in zip(places, RULES, strict=True):
        draw_rule(axes, rule, example())
    hollow = {"marker": "o", "mfc": "none", "color": "#555"}
    explain(figure, left_out=hollow, aggregate={"marker": "X", "color": AGGREGATE, "ms": 8})
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main()
