"""What a paper may ask of a figure: its size, letters, title and legend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flt.errors import InputError

LegendPlace = Literal["right", "below", "inside", "none"]
Format = Literal["png", "pdf", "svg"]


@dataclass(frozen=True)
class FigureStyle:
    """How figures look on a page.

    Args:
        width: Of a figure in inches, such as 3.33 for a column of two; null is what its content needs.
        height: Of a figure in inches; null is what its content needs.
        font_size: Of letters in points.
        title: Whether a figure has its headline; papers have captions.
        legend: Where what lines mean is told: "right" or "below" of the axes, "inside" the first, or "none".
        formats: Of the files that `flt table` draws; elsewhere the file's ending says it.

    Raises:
        InputError: If a number is out of range.
    """

    width: float | None = None
    height: float | None = None
    font_size: float = 10.0
    title: bool = True
    legend: LegendPlace = "right"
    formats: Sequence[Format] = ("png",)

    def __post_init__(self) -> None:
        ranges = {"width": (1.0, 100.0, "inches"), "height": (1.0, 200.0, "inches"), "font_size": (3.0, 40.0, "points")}
        for name, (low, high, unit) in ranges.items():
            value = getattr(self, name)
            if value is not None and (not math.isfinite(value) or not low <= value <= high):
                raise InputError(f"style.{name}={value:g} is out of range: give {unit} from {low:g} to {high:g}")
        if not self.formats:
            raise InputError("style.formats=[] leaves nothing to draw: name png, pdf or svg")


USUAL = FigureStyle()
"""How figures look unless something else is asked for."""
