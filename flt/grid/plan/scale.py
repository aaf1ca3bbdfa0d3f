"""How a metric is written in tables and figures: error rates as such, as accuracy, or as accuracy in percent."""

import re
from dataclasses import dataclass
from typing import Literal

from flt.grid.plan.naming import readable

ShownAs = Literal["error", "accuracy", "accuracy_percent"]
"""What a configuration may give for ``shown_as``."""

PERCENT = " in %"
ERRORS = re.compile(r"(testing|validation)_error_rate|class_error/.*|client_error_(mean|worst_tenth|spread)")
SUCCESSES = re.compile(r"(validation_)?attack_success_rate")
SPREAD = "client_error_spread"


@dataclass(frozen=True)
class Scale:
    """A metric's name and how its numbers are written: ``offset + factor * number``.

    Attributes:
        name: What people read.
        factor: Below 0 where the highest number is written as the lowest.
        offset: What 0 is written as.
        digits: Of a measured number after the point, and of a published one.
    """

    name: str
    factor: float = 1.0
    offset: float = 0.0
    digits: tuple[int, int] = (3, 2)

    def number(self, value: float) -> float:
        """A value as it is written or drawn."""
        return self.offset + self.factor * value

    def measured(self, value: float) -> str:
        """A measured value in writing."""
        return f"{self.number(value):.{self.digits[0]}f}"

    def published(self, value: float) -> str:
        """A published value in writing."""
        return f"{self.number(value):.{self.digits[1]}f}"

    def spread(self, value: float) -> str:
        """A standard deviation in writing."""
        return f"{abs(self.factor) * value:.{self.digits[0]}f}"

    def difference(self, value: float) -> str:
        """The difference of two values in writing."""
        # Rounded and with 0 added, as -0.000 looks like a number of its own.
        return f"{round(self.factor * value, self.digits[0]) + 0.0:+.{self.digits[0]}f}"


def scale_of(metric: str, shown_as: ShownAs = "error") -> Scale:
    """The scale of a metric.

    Args:
        metric: Its name in rows. Loss and the like are written as they are.
        shown_as: How rates are written.

    Example:
        >>> scale_of("testing_error_rate", "accuracy").name, scale_of("class_error/sitting", "accuracy_percent").name
        ('testing accuracy', 'class accuracy: sitting in %')
        >>> scale_of("testing_error_rate", "accuracy_percent").measured(0.0121)
        '98.79'
    """
    name, is_error = readable(metric), bool(ERRORS.fullmatch(metric))
    if shown_as == "error" or not (is_error or SUCCESSES.fullmatch(metric)):
        return Scale(name)
    if is_error:
        name = re.sub("error( rate)?", "accuracy", name, count=1)
    whole, unit, digits = (1.0, "", (3, 2)) if shown_as == "accuracy" else (100.0, PERCENT, (2, 2))
    turned = is_error and metric != SPREAD
    return Scale(name + unit, -whole if turned else whole, whole if turned else 0.0, digits)
