"""Draws `guarantees.png`, what is left of a round and how far it can be off: ``python docs/draw_guarantees.py``."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from flt.display.style import BENIGN, looks_of
from flt.functional import BenignMean, TrustShape, guaranteed_progress, leverage

FIGURE = Path(__file__).with_name("guarantees.png")
NUM_CLIENTS = 100
COSINES = (0.05, 0.1, 0.3, 0.5, 0.8)


def benign(num_malicious: int, cosine: float) -> BenignMean:
    """Benign clients of one cosine each, whose parts across the root update cancel."""
    return BenignMean(TrustShape(), (NUM_CLIENTS - num_malicious) * cosine, cosine, 0.0)


def draw_progress(axes: Axes) -> None:
    """What is left of the progress along the root update, the same for every cosine that benign clients share."""
    malicious = range(96)
    kept = [guaranteed_progress(benign(each, 0.5), each) / 0.5 for each in malicious]
    axes.plot(malicious, kept, color=BENIGN, lw=1.8)
    axes.set(ylim=(0, 1.02), ylabel="part of the progress that is left at least")


def draw_leverage(axes: Axes) -> None:
    """How far the aggregate can be from the benign mean."""
    malicious = range(5, 96, 5)
    looks = looks_of([f"{cosine:g}" for cosine in COSINES])
    for cosine, (label, look) in zip(COSINES, looks.items(), strict=True):
        values = [leverage(benign(each, cosine), each) for each in malicious]
        axes.plot(malicious, values, color=look.colour, marker=look.marker, ms=4, lw=1.4, label=label)
    axes.set(yscale="log", ylim=(0.05, 40), ylabel="leverage, in lengths of the benign mean")
    axes.legend(title="benign cosine", frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def main() -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    draw_progress(left)
    draw_leverage(right)
    for axes in (left, right):
        axes.set_xlabel("malicious clients, %")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=130)


if __name__ == "__main__":
    main()
