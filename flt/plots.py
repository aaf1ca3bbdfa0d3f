"""Figures, drawn without a display."""

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colour-blind safe (Okabe and Ito); benign and malicious look the same in every figure.
ERROR, SUCCESS, BENIGN, MALICIOUS = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def draw_curves(rows: Sequence[Mapping[str, float]], title: str) -> bytes:
    """Error, attack success and trust scores over the rounds of one run.

    Args:
        rows: Metrics by name, each row with its ``round``; a name may be missing from a row.
        title: Headline; what was run.

    Returns:
        A PNG file's content.
    """
    lines = {
        "testing error rate": ("testing_error_rate", ERROR),
        "attack success rate": ("attack_success_rate", SUCCESS),
    }
    trust = {
        "benign clients": ("trust_score_benign", BENIGN),
        "malicious clients": ("trust_score_malicious", MALICIOUS),
    }
    panels = [("rate on the test set", lines), ("mean trust score", trust)]
    panels = [panel for panel in panels if any(name in row for row in rows for name, _ in panel[1].values())]
    figure = Figure(figsize=(7.5, 0.8 + 2.7 * max(1, len(panels))), layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, curves) in zip(axes, panels, strict=False):
        for name, (key, colour) in curves.items():
            _draw(axis, rows, key, name, colour)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes[-1].set_xlabel("round")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    return content.getvalue()


def _draw(axis: Axes, rows: Sequence[Mapping[str, float]], key: str, label: str, colour: str) -> None:
    points = [(row["round"], row[key]) for row in rows if key in row]
    if points:
        x, y = zip(*points, strict=True)
        # A marker where there is a single point, which a line alone would not show.
        axis.plot(x, y, color=colour, label=label, linewidth=1.6, marker="o" if len(points) == 1 else None)
