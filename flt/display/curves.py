"""The curves of a run: error, attack success, errors of clients, trust scores and who is kept, over the rounds."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flt.display.style import BENIGN, ERROR, MALICIOUS, SUCCESS, VALIDATION, WORST

Rows = Sequence[Mapping[str, float]]
"""Metrics by name, a row for each round."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
        label: What the vertical axis shows.
        curves: Name in the legend and colour of each metric.
        has_news: Whether rows that hold one of the metrics say something by them.
    """

    label: str
    curves: Mapping[str, tuple[str, str]]
    has_news: Callable[[Rows], bool] = lambda rows: True

    def is_drawn(self, rows: Rows) -> bool:
        """Whether there is something to show."""
        return any(key in row for row in rows for key in self.curves) and self.has_news(rows)


def _of_both(metric: str) -> dict[str, tuple[str, str]]:
    return {f"{metric}_benign": ("benign clients", BENIGN), f"{metric}_malicious": ("malicious clients", MALICIOUS)}


def _weights_differ(rows: Rows) -> bool:
    """Whether malicious clients count more or less than benign ones, in a run of a rule without trust scores."""
    if any("trust_score_benign" in row for row in rows):  # which weights follow
        return False
    return any(row["weight_malicious"] != row.get("weight_benign", 0.0) for row in rows if "weight_malicious" in row)


def _anybody_is_left_out(rows: Rows) -> bool:
    return any(row.get(key, 1.0) < 1.0 for row in rows for key in _of_both("kept"))


PANELS = (
    Panel(
        "rate",
        {
            "testing_error_rate": ("testing error rate", ERROR),
            "validation_error_rate": ("validation error rate", VALIDATION),
            "attack_success_rate": ("attack success rate", SUCCESS),
        },
    ),
    Panel(
        "error of the benign clients",
        {
            "client_error_mean": ("mean", BENIGN),
            "client_error_worst_tenth": ("worst tenth", WORST),
        },
    ),
    Panel("mean trust score", _of_both("trust_score")),
    Panel("mean weight", _of_both("weight"), _weights_differ),
    Panel("share of clients kept", _of_both("kept"), _anybody_is_left_out),
)


def has_curves(rows: Rows) -> bool:
    """Whether `draw_curves` would draw anything of these rows."""
    return bool(_panels(rows))


@rc_context({"text.parse_math": False})  # the name of a data set may hold a $
def draw_curves(rows: Rows, title: str) -> bytes:
    """Draws error, attack success, errors of clients, trust scores, weights and who is kept over the rounds of one run.

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
    for axis, panel in zip(axes, panels, strict=False):
        for key, (name, colour) in panel.curves.items():
            _draw(axis, rows, key, name, colour)
        axis.set_ylabel(panel.label)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes[-1].set_xlabel("round")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    return content.getvalue()


def _panels(rows: Rows) -> list[Panel]:
    """The panels that have something to show."""
    return [panel for panel in PANELS if panel.is_drawn(rows)]


def _draw(axis: Axes, rows: Rows, key: str, label: str, colour: str) -> None:
    points = [(row["round"], row[key]) for row in rows if key in row]
    if points:
        x, y = zip(*points, strict=True)
        # A marker where there is a single point, which a line alone would not show.
        axis.plot(x, y, color=colour, label=label, linewidth=1.6, marker="o" if len(points) == 1 else None)
