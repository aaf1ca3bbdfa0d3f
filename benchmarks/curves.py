"""Testing error over the rounds of several runs, a panel for each data set.

python benchmarks/curves.py runs/mnist/version_0 runs/mnist/version_1 --out curves.png
"""

import argparse
import csv
import json
from pathlib import Path

from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs")
    parser.add_argument("--out", type=Path, default=Path("curves.png"))
    options = parser.parse_args()
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for folder in options.runs:
        summary = json.loads((folder / "summary.json").read_text())
        with (folder / "metrics.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["testing_error_rate"]]
        attack = "no attack" if summary["attack"] == "NoAttack" else summary["attack"]
        curve = [(int(row["round"]), float(row["testing_error_rate"])) for row in rows]
        label = f"{summary['aggregation']}, {attack}: {summary['testing_error_rate']:.3f}"
        panels.setdefault(summary["data"], {})[label] = curve
    draw(panels).savefig(options.out, dpi=150)


def draw(panels: dict[str, dict[str, list[tuple[int, float]]]]) -> Figure:
    """One panel for each data set, one curve for each run."""
    figure = Figure(figsize=(4.2 * len(panels), 4.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, curves) in zip(axes, panels.items(), strict=True):
        for (label, curve), colour in zip(curves.items(), COLOURS, strict=False):
            axis.plot(*zip(*curve, strict=True), color=colour, label=label, linewidth=1.6)
        axis.set(title=title, xlabel="round", ylabel="testing error rate", ylim=(0, 1))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return figure


if __name__ == "__main__":
    main()
