"""What a table says beyond the values of its cells: chosen settings, paired tests, where a rule breaks."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from flt.errors import InputError
from flt.grid.plan.axes import column_among
from flt.grid.plan.naming import label_of

Levels = Mapping[str, Sequence[str]]
"""The labels of each axis, by its column."""

Key = tuple[str, ...]

ON = {"validation": "validation_error_rate", "test": "testing_error_rate"}


@dataclass
class Select:
    """Which settings are shown, of those that a grid has tried: for all other levels the one with the lowest score.

    A score is a mean over the seeds. Of equals the first is chosen; a setting with a failed run never is.

    Args:
        over: The axes of the settings to choose of, such as ``[client_lr, client_momentum]``.
        by: The score: "worst AXIS", such as ``worst attack``, is the largest over the levels of that axis, which all
            get the same setting; "mean AXIS" is their mean; "mean" chooses for each cell by itself.
        on: Whose error rate is scored: of the validation split, or, optimistically, of the test set that is reported.
    """

    over: list[str]
    by: str = "worst attack"
    on: Literal["validation", "test"] = "validation"

    @property
    def metric(self) -> str:
        """The metric that is scored."""
        return ON[self.on]

    @property
    def statistic(self) -> str:
        """The first word of `by`."""
        return self.by.partition(" ")[0]

    @property
    def axis(self) -> str | None:
        """The axis whose levels share a setting; None where each cell has its own."""
        return self.by.partition(" ")[2] or None

    def of(self, levels: Levels) -> "Select":
        """The same with the columns of axes in place of their settings.

        Raises:
            InputError: If a grid with these levels has nothing to choose so.
        """
        over = [column_among(levels, "select.over", axis) for axis in self.over]
        if not over or len({*over}) < len(over):
            raise InputError(f"select.over={self.over}: name the axes of the settings to choose of, each once")
        if len(over) == len(levels):
            raise InputError(f"select.over={self.over} has every axis of the grid: leave one for the table")
        if self.statistic not in ("worst", "mean") or self.by == "worst":
            raise InputError(f"select.by={self.by!r}: give 'worst AXIS', such as 'worst attack', 'mean AXIS' or 'mean'")
        shared = self.axis and column_among(levels, "select.by", self.axis)
        if shared in over:
            raise InputError(
                f"select.by={self.by!r}: a setting is chosen for all levels of {shared}: take it out of select.over"
            )
        for axis in over:
            if len(levels[axis]) == 1:
                warnings.warn(f"select.over={axis} has no effect: the axis has one level", stacklevel=4)
        if self.on == "test":
            warnings.warn(
                "select.on=test is optimistic: settings are chosen by the numbers that the table reports", stacklevel=4
            )
        return Select(over, f"{self.statistic} {shared}" if shared else self.by, self.on)

    def parts(self, labels: Mapping[str, str]) -> tuple[Key, Key]:
        """The levels of a cell: of the axes for which a setting is chosen, and of those that make up the setting."""
        rest = tuple(label for axis, label in labels.items() if axis not in (*self.over, self.axis))
        return rest, tuple(labels[axis] for axis in self.over)

    def check_alike(self, cells: Iterable[Mapping[str, str]]) -> None:
        """Raises an `InputError` unless the settings that are compared were tried on the same levels."""
        tried: dict[Key, dict[Key, set[str | None]]] = {}
        for labels in cells:
            rest, setting = self.parts(labels)
            tried.setdefault(rest, {}).setdefault(setting, set()).add(labels[self.axis] if self.axis else None)
        for settings in tried.values():
            (first, all_of), *others = settings.items()
            for setting, levels in others:
                if levels != all_of:
                    some = ", ".join(sorted(str(level) for level in levels ^ all_of))
                    raise InputError(
                        f"exclude: of {self.axis}, {some} is left out for one of {first} and {setting} alone:"
                        " select.over compares them on the same levels"
                    )


@dataclass
class Compare:
    """A paired test: runs with the same seed of two levels of an axis, and the differences between them.

    Args:
        axis: The axis, of rows or columns, such as ``rule``.
        to: The level that all others are compared with, such as ``FedAvg``.
        level: Largest p that is marked; its complement is the level of the confidence intervals.
    """

    axis: str
    to: str | int | float
    level: float = 0.05

    def of(self, levels: Levels, num_seeds: int) -> "Compare | None":
        """The same with the column of the axis; None, with a warning, where there are no two seeds.

        Raises:
            InputError: If a grid with these levels has no such axis or level.
        """
        axis = column_among(levels, "compare.axis", self.axis)
        to = label_of(self.to)
        if to not in levels[axis]:
            raise InputError(f"compare.to={to} is no level of {axis}: choose one of {', '.join(levels[axis])}")
        if not 0 < self.level < 1:
            raise InputError(f"compare.level={self.level} must be between 0 and 1, such as 0.05")
        if num_seeds < 2:
            warnings.warn("compare has no effect with one seed: differences need at least two seeds", stacklevel=4)
            return None
        return replace(self, axis=axis, to=to)


@dataclass
class Breaks:
    """Where a rule breaks: the smallest level of an axis at which the first measure, over the seeds, exceeds a bound.

    Args:
        axis: The axis, whose levels are numbers, such as ``fraction``.
        at: The bound, in the unit of ``table.csv``, where rates are error rates.
        than: A level of any axis, such as ``No attack`` or ``0``: the bound is `at` above the measure at that level;
            null is a bound by itself.
    """

    axis: str
    at: float
    than: str | int | float | None = None

    def of(self, levels: Levels) -> "Breaks":
        """The same with the column of the axis.

        Raises:
            InputError: If a grid with these levels has no such axis, or a bound that is none.
        """
        axis = column_among(levels, "breaks.axis", self.axis)
        for label in levels[axis]:
            if not _is_number(label):
                raise InputError(f"breaks.axis={self.axis}: its level {label} is no number: choose another axis")
        if not math.isfinite(self.at) or (self.than is not None and self.at < 0):
            raise InputError(f"breaks.at={self.at} must be a number, and with breaks.than at least 0")
        than = None if self.than is None else label_of(self.than)
        if than is not None and not any(than in labels for labels in levels.values()):
            raise InputError(f"breaks.than={than} is no level of an axis of this grid")
        return Breaks(axis, self.at, than)

    def check_left(self, cells: Sequence[Mapping[str, str]]) -> None:
        """Raises an `InputError` if no cell, by its labels, has the level that the bound comes from."""
        if self.than is not None and not any(label_of(self.than) in labels.values() for labels in cells):
            raise InputError(f"breaks.than={self.than}: exclude leaves no cell of it: leave some in")

    def beside(self, labels: Mapping[str, str], levels: Levels) -> dict[str, str]:
        """The labels of the cell that the bound of a cell comes from, where that is a level of another axis."""
        assert self.than is not None
        first = next(axis for axis in levels if self.than in levels[axis])
        return {**labels, first: label_of(self.than)}


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False
