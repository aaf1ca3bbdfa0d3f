"""Colours of a heat map's numbers: a map for each kind of measure, on one scale in all figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure

from flt.display.style import ERROR, SUCCESS
from flt.grid.plan.scale import ERRORS, SUCCESSES, Scale

FURTHEST = 0.2  # differences from here on have the darkest colour
TICKS = (0.0, 0.02, 0.1, 0.2, 0.4, 0.7, 1.0)
BAR, LONGEST, PAD = 0.13, 4.0, 0.1  # inches across a colour bar, along it, and above it

_RATES = PowerNorm(0.5, 0.0, 1.0, clip=True)  # small rates, where good rules differ, have half of the colours
_ERRORS = LinearSegmentedColormap.from_list("errors", [(0.0, "#f7fbff"), (0.65, ERROR), (1.0, "#001b2e")])
_SUCCESSES = LinearSegmentedColormap.from_list("successes", [(0.0, "#fff8f2"), (0.65, SUCCESS), (1.0, "#3a1500")])


@dataclass(frozen=True, eq=False)
class ColourScale:
    """What colour a number has.

    Attributes:
        label: What its colour bar is of.
        colours: The colours.
        norm: Where a number lies among them.
        ticks: Numbers that the colour bar names, and how.
    """

    label: str
    colours: Colormap
    norm: Normalize
    ticks: dict[float, str] | None = None

    def of(self, number: float) -> tuple[float, float, float, float]:
        """The colour of a number."""
        red, green, blue, alpha = self.colours(float(self.norm(number)))
        return red, green, blue, alpha

    def add_bar(self, figure: Figure, axes: Sequence[Axes], share: float) -> None:
        """Adds a colour bar below axes that take a share of the figure's width."""
        across = 0.8 * figure.get_figwidth() * share
        width = min(LONGEST, across)
        look: dict[str, Any] = {
            "location": "bottom",
            "shrink": width / across,
            "aspect": width / BAR,
            "label": self.label,
        }
        pad = PAD / figure.get_figheight()
        bar = figure.colorbar(ScalarMappable(self.norm, self.colours), ax=axes, fraction=pad, pad=pad, **look)
        if self.ticks:
            bar.set_ticks(list(self.ticks), labels=list(self.ticks.values()))
        bar.minorticks_off()


def scale_of_measure(measure: str, scale: Scale, highest: float) -> ColourScale:
    """The colours of a measure: those of errors or successes, from 0 to 1; grey up to the highest for anything else."""
    is_error, is_success = ERRORS.fullmatch(measure), SUCCESSES.fullmatch(measure)
    if not is_error and not is_success:
        return ColourScale(scale.name, _greys(), Normalize(0.0, highest or 1.0, clip=True))
    ticks = {tick: f"{scale.number(tick):g}" for tick in TICKS}
    return ColourScale(scale.name, _ERRORS if is_error else _SUCCESSES, _RATES, ticks)


def scale_of_differences(scale: Scale) -> ColourScale:
    """The colours of differences from published numbers; those beyond `FURTHEST` have its colour."""
    colours = LinearSegmentedColormap.from_list("differences", ["#01665e", "#f5f5f5", "#8c510a"])
    ends = {
        tick: f"{scale.factor * tick:+g}" if tick else "0"
        for tick in (-FURTHEST, -FURTHEST / 2, 0.0, FURTHEST / 2, FURTHEST)
    }
    return ColourScale("measured - published", colours, Normalize(-FURTHEST, FURTHEST, clip=True), ends)


def _greys() -> Colormap:
    return LinearSegmentedColormap.from_list("greys", ["#fafafa", "#777777", "#111111"])


def is_light(colour: tuple[float, float, float, float]) -> bool:
    """Whether black has more contrast with a colour than white has, by their relative luminance in WCAG 2."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179
