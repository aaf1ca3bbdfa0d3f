"""The results of a grid as a whole: its files and its figure."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.plan.outline import Figure, Outline
from flt.grid.results.annotations import annotated
from flt.grid.results.markdown import as_markdown
from flt.grid.results.rows import Row, as_csv, from_csv
from flt.grid.results.selection import chosen

if TYPE_CHECKING:  # `flt table --help` does without matplotlib
    from matplotlib.figure import Figure as Canvas


@dataclass(frozen=True)
class Results:
    """The finished and failed runs of a grid.

    Attributes:
        folder: Where it lies.
        outline: The grid's outline.
        rows: A row for each finished run, in the grid's order.
        failures: What went wrong in others, by what they are called.
        left: How many were not run to their end, as the grid was interrupted.
    """

    folder: Path
    outline: Outline
    rows: list[Row]
    failures: dict[str, str] = field(default_factory=dict)
    left: int = 0

    @classmethod
    def read(cls, folder: Path) -> "Results":
        """The results that `flt table` has left in a folder.

        Raises:
            InputError: If there are none.
        """
        outline = Outline.read(folder / "grid.yaml")
        try:
            return cls(folder, outline, from_csv((folder / "table.csv").read_text(), outline.axes))
        except FileNotFoundError as error:
            raise InputError(f"{error.filename}: there is no such file; flt table writes it") from error
        except ValueError as error:
            raise InputError(f"{folder / 'table.csv'} is damaged ({error}): run flt table again") from error

    def write(self) -> None:
        """Writes the tables, ``table.png`` and, where the grid describes them, ``breaks.png`` and ``figure.png``."""
        from flt.grid.results.break_maps import draw_break_maps
        from flt.grid.results.heat_maps import draw_heat_maps

        self.write_tables()
        if self.rows:
            write_atomically(self.folder / "table.png", draw_heat_maps(self.outline, self.rows))
            if (breaks := draw_break_maps(self.outline, self.rows)) is not None:
                write_atomically(self.folder / "breaks.png", breaks)
            if self.outline.figure is not None:
                self._write_figure(self.folder / "figure.png")

    def write_tables(self) -> None:
        """Writes ``table.csv`` and ``table.md``, which takes milliseconds: also while a grid goes on."""
        write_atomically(self.folder / "table.csv", as_csv(annotated(self.outline, self.rows)))
        text = as_markdown(self.outline, self.rows, self.failures, left=self.left)
        write_atomically(self.folder / "table.md", text)

    def _write_figure(self, path: Path) -> None:
        from flt.display.style import as_file

        try:
            write_atomically(path, as_file(self.draw(), path))
        except InputError as error:  # a metric that no run has logged: no reason to lose the tables
            warnings.warn(f"no {path.name}: {error}", stacklevel=2)

    def draw(self, figure: Figure | None = None) -> "Canvas":
        """Draws the grid.

        Args:
            figure: How; None is as the grid's configuration says.

        Raises:
            InputError: If the grid has no such axes, or nothing is finished.
        """
        from flt.grid.results.figures import curves_of, draw_lines

        shown, _ = chosen(self.outline, self.rows)
        figure, axes = figure or self.outline.figure, ", ".join(shown.axes)
        if figure is None:
            raise InputError(
                f"{self.folder}: the grid says nothing about a figure: name x, one of {axes}, or kind=curves"
            )
        for name in ("x", "lines", "panels"):
            axis = getattr(figure, name)
            if axis is not None and axis not in shown.axes:
                raise InputError(f"{name}={axis} is no axis of this grid: choose one of {axes}")
        if figure.kind == "curves":
            return curves_of(self.outline, self.folder, figure, self.rows)
        if figure.x is None:
            raise InputError(f"x is missing: name the axis along which the lines run, one of {axes}")
        return draw_lines(self.outline, self.rows, figure)
