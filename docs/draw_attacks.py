"""Draws `attacks.png`, what each attack sends for the same honest updates: ``python docs/draw_attacks.py``."""

import sys
import warnings
from pathlib import Path

import torch
from matplotlib.axes import Axes
from torch import Tensor

from flt.display.style import MALICIOUS
from flt.federation import Round

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests" / "helpers")]
from catalogue import ATTACKS, Attack
from catalogue.attacks import backdoors
from drawing import (
    DOTS,
    HIGH,
    LEFT,
    LOW,
    NUM_MALICIOUS,
    RIGHT,
    benign_updates,
    draw_root_update,
    explain,
    panels,
    round_with,
)

FIGURE = Path(__file__).with_name("attacks.png")
COLUMNS, ROUNDS = 7, 4


def example() -> Round:
    """The round that every attack gets: what malicious clients would send honestly is as of the others."""
    draws = torch.Generator().manual_seed(7)
    benign = benign_updates(draws)
    return round_with(
        torch.cat([benign, torch.tensor([1.0, 1.0]) + 0.55 * torch.randn(NUM_MALICIOUS, 2, generator=draws)])
    )


def sent_by(attack: Attack, round: Round) -> Tensor:
    """What malicious clients send in the last of some rounds; the global model takes the benign mean as its step."""
    made, step = attack.make(), round.updates[~round.malicious].mean(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for number in range(ROUNDS):
            crafted = made.craft(round.replace(number=number, parameters=number * step))
            if isinstance(crafted, Round):
                round = round.replace(memory=crafted.memory)
    sent = crafted.updates if isinstance(crafted, Round) else round.updates if crafted is None else crafted
    return sent[round.malicious]


def draw_attack(axes: Axes, attack: Attack, round: Round) -> None:
    """Benign updates, honest ones of malicious clients hollow, and what they send; an arrow where it is far away."""
    x, y = round.updates[~round.malicious].T.tolist()
    axes.scatter(x, y, s=22, color=DOTS["benign"], linewidths=0)
    x, y = round.updates[round.malicious].T.tolist()
    axes.scatter(x, y, s=22, facecolors="none", edgecolors=MALICIOUS, linewidths=0.9)
    if attack.make().needs_root_update:
        draw_root_update(axes, round)
    for update in sent_by(attack, round):
        if not update.isfinite().all():
            axes.text(0, LOW + 0.3, f"{update[0]:g}", ha="center", color=MALICIOUS, fontsize=8)
            continue
        x, y = update.tolist()
        beyond = max(x / RIGHT, x / LEFT, y / HIGH, y / LOW, 1e-9)
        if beyond <= 1:
            axes.scatter([x], [y], s=30, color=MALICIOUS, edgecolors="white", linewidths=0.5, zorder=5)
        else:
            look = {"arrowstyle": "-|>", "color": MALICIOUS, "lw": 1.4}
            axes.annotate("", (x / beyond, y / beyond), (0.8 * x / beyond, 0.8 * y / beyond), arrowprops=look)


def main() -> None:
    others = [attack for attack in ATTACKS if attack not in backdoors.ATTACKS and attack.name != "SignFlip-ascent"]
    shown = [attack for attack in others if attack.changes_updates]  # but those that need a network to train
    figure, places = panels([attack.name for attack in shown], COLUMNS)
    for axes, attack in zip(places, shown, strict=True):
        draw_attack(axes, attack, example())
    hollow = {"marker": "o", "mfc": "none", "color": MALICIOUS}
    explain(figure, honest_update_of_a_malicious_client=hollow, far_away={"marker": ">", "color": MALICIOUS})
    figure.savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main()
