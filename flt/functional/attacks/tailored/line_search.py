"""The length at which an attack does most, found by trying."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flt.errors import InputError, check_choice, check_count, check_positive

Kind = Literal["two_sided", "byzfl"]
DEFAULTS: dict[Kind, tuple[int, float]] = {"two_sided": (16, 1.0), "byzfl": (20, 10.0)}
ROUNDING = 1e-6  # the part of a value by which another has to be larger, so that rounding decides nothing


@dataclass(frozen=True)
class LineSearch:
    """Search for the number, 0 or more, at which a function is largest.

    It expands first: from ``start`` on by ``delta``, then by twice as much each time, while the function grows. Then it
    contracts: by ``ratio`` times as much each time, "two_sided" from the last number tried towards the best one and
    beyond, "byzfl" always upwards from the best one.

    Attributes:
        kind: "two_sided" or "byzfl"; the latter finds nothing between the best number and the one before.
        evaluations: How often the function is asked, ``start`` included; None for 16, of "byzfl" 20.
        delta: The first step; None for 1, of "byzfl" 10.
        ratio: By what each step of the contraction is shorter than the one before, between 0 and 1.
        cap: The largest number that is tried.
        start: The first one.

    Reference:
        El Mhamdi, Guerraoui and Rouault, Distributed Momentum for Byzantine-resilient Stochastic Gradient Descent,
        ICLR 2021 (the search of their code); Guerraoui, Gupta and Pinot, ByzFL, 2025.
    """

    kind: Kind = "two_sided"
    evaluations: int | None = None
    delta: float | None = None
    ratio: float = 0.8
    cap: float = 1e3
    start: float = 0.0

    def check(self, prefix: str = "") -> None:
        """Raises an `InputError` if a setting is out of range; ``prefix`` is what its name begins with."""
        check_choice(f"{prefix}search", self.kind, Kind)
        check_count(f"{prefix}evaluations", self.evaluations)
        if self.delta is not None:
            check_positive(f"{prefix}delta", self.delta)
        if not 0.0 < self.ratio < 1.0:
            raise InputError(f"{prefix}ratio={self.ratio} must be above 0 and less than 1")
        check_positive(f"{prefix}cap", self.cap)

    def maximise(self, function: Callable[[float], float]) -> tuple[float, float]:
        """The best number tried and the function's value there; the first of equals, but for rounding.

        Example:
            >>> best, value = LineSearch().maximise(lambda x: 9.0 - abs(x - 5.0))
            >>> round(best, 1), round(value, 1)
            (4.9, 8.9)
        """
        usual_evaluations, usual_delta = DEFAULTS[self.kind]
        step = usual_delta if self.delta is None else self.delta
        best = tried = self.start
        value, grows = function(best), True
        for _ in range((usual_evaluations if self.evaluations is None else self.evaluations) - 1):
            upwards = grows or self.kind == "byzfl"
            tried = min(best + step if upwards else _towards(best, tried, step), self.cap)
            found = function(tried)
            is_better = is_larger(found, value)
            if is_better:
                best, value = tried, found
            grows = grows and is_better
            step *= 2.0 if grows else self.ratio
        return best, value


USUAL = LineSearch()


def is_larger(found: float, value: float) -> bool:
    """Whether a number is larger than another by more than rounding.

    Example:
        >>> is_larger(2.0, 1.0), is_larger(1.0 + 1e-9, 1.0)
        (True, False)
    """
    return found > value + ROUNDING * abs(value)


def _towards(best: float, tried: float, step: float) -> float:
    """The next number of a contraction: from the last one that was tried towards the best one."""
    if tried < best:
        return tried + step
    moved = tried - step
    while moved < 0.0:
        moved = (moved + tried) / 2.0
    return moved
