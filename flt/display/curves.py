"""The curves of a run: error, attack success, trust scores and who is kept, over the rounds."""

import io
from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flt.display.style import BENIGN, ERROR, MALICIOUS, SUCCESS

PANELS = {
    "rate on the test set": {
        "testing_error_rate": ("testing error rate", ERROR),
        "attack_success_rate": ("attack success rate", SUCCESS),
    },
    "mean trust score": {
        "trust_score_benign": ("benign clients", BENIGN),
        "trust_score_malicious": ("malicious clients", MALICIOUS),
    },
    "mean weight": {
        "weight_benign": ("benign clients", BENIGN),
        "weight_malicious": ("malicious clients", MALICIOUS),
    },
    "share of clients kept": {
        "kept_benign": ("benign clients", BENIGN),
        "kept_malicious": ("malicious clients", MALICIOUS),
    },
}


def has_curves(rows: Sequence[Mapping[str, float]]) -> bool:
    """Whether `draw_curves` would draw anything of these rows."""
    return bool(_panels(rows))


@rc_context({"text.parse_math": False})  # the name of a data set may hold a $
def draw_curves(rows: Sequence[Mapping[str, float]], title: str) -> bytes:
    """Draws error, attack success, trust scores, weights and who is kept over the rounds of one run.

    Weights and shares that say nothing are left out: of rules with trust scores, without malicious clients, or where
    everybody is kept.

    Args:
        rows: Metrics by name, each row with its ``round``; a name may be missing from a row.
        title: Headline, such as the data, rule and attack of the run.

    Returns:
        A PNG file's content.
    """
    panels = _panels(rows)
    figure = Figure(figsize=(7.5, 0.8 + 2.7 * max(1, len(panels))), layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (label, curves) in zip(axes, panels, strict=False):
        for key, (name, colour) in curves.items():
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


def _panels(rows: Sequence[Mapping[str, float]]) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """Returns the panels that have something to show."""
    return [(label, curves) for label, curves in PANELS.items() if _says_something(rows, label, curves)]


def _says_something(rows: Sequence[Mapping[str, float]], label: str, curves: Mapping[str, object]) -> bool:
    values = [row[key] for row in rows for key in curves if key in row]
    if label == "mean weight":  # of rules with trust scores these tell the same again
        unequal = [row for row in rows if row.get("weight_malicious", 0.0) != row.get("weight_benign", 0.0)]
        return any("weight_malicious" in row for row in unequal) and not any(
            "trust_score_benign" in row for row in rows
        )
    return min(values) < 1.0 if label.startswith("share") and values else bool(values)


def _draw(axis: Axes, rows: Sequence[Mapping[str, float]], key: str, label: str, colour: str) -> None:
    points = [(row["round"], row[key]) for row in rows if key in row]
    if points:
        x, y = zip(*points, strict=True)
        # A marker where there is a single point, which a line alone would not show.
        axis.plot(x, y, color=colour, label=label, linewidth=1.6, marker="o" if len(points) == 1 else None)
