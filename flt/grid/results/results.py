"""The results of a grid as a whole: its files and its figure."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flt.display.figure_style import USUAL, FigureStyle
from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.plan.outline import Figure, Outline
from flt.grid.results.annotations import annotated
from flt.grid.results.latex import as_latex
from flt.grid.results.markdown import as_markdown
from flt.grid.results.rows import Row, as_csv, from_csv
from flt.grid.results.selection import chosen

if TYPE_CHECKING:  # `flt table --help` does without matplotlib
    from matplotlib.figure import Figure as Canvas


UNFINISHED = "unfinished.json"
"""The file that says which runs failed and how many are left, of a grid of which some did or are."""


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
            return cls(
                folder, outline, from_csv((folder / "table.csv").read_text(), outline.axes), *_unfinished(folder)
            )
        except FileNotFoundError as error:
            raise InputError(f"{error.filename}: there is no such file; flt table writes it") from error
        except ValueError as error:
            raise InputError(f"{folder / 'table.csv'} is damaged ({error}): run flt table again") from error

    def write(self, style: FigureStyle = USUAL) -> None:
        """Writes the tables, ``table.png`` and, where the grid describes them, ``breaks.png`` and ``figure.png``."""
        self.write_tables()
        if self.rows:
            self._write_figure("table", lambda: self.draw_table(style), style)
            if self.outline.breaks is not None:
                self._write_figure("breaks", lambda: self.draw_breaks(style), style)
            if self.outline.figure is not None:
                self._write_figure("figure", lambda: self.draw(style=style), style)

    def write_tables(self) -> None:
        """Writes ``table.csv``, ``.md`` and ``.tex``, which takes milliseconds: also while a grid goes on."""
        write_atomically(self.folder / "table.csv", as_csv(annotated(self.outline, self.rows)))
        text = as_markdown(self.outline, self.rows, self.failures, left=self.left)
        write_atomically(self.folder / "table.md", text)
        write_atomically(self.folder / "table.tex", as_latex(self.outline, self.rows))
        if self.failures or self.left:
            write_atomically(self.folder / UNFINISHED, json.dumps({"failures": self.failures, "left": self.left}))
        else:
            (self.folder / UNFINISHED).unlink(missing_ok=True)

    def _write_figure(self, name: str, draw: Callable[[], "Canvas | None"], style: FigureStyle) -> None:
        from flt.display.drawing import as_file

        try:
            canvas = draw()
        except InputError as error:  # a metric that no run has logged: no reason to lose the tables
            warnings.warn(f"no {name} is drawn: {error}", stacklevel=2)
            return
        if canvas is not None:
            for ending in style.formats:
                path = self.folder / f"{name}.{ending}"
                write_atomically(path, as_file(canvas, path, style))

    def draw_table(self, style: FigureStyle = USUAL) -> "Canvas":
        """Draws the tables as heat maps."""
        from flt.grid.results.pictures.heat_maps import draw_heat_maps

        return draw_heat_maps(self.outline, self.rows, style)

    def draw_breaks(self, style: FigureStyle = USUAL) -> "Canvas | None":
        """Draws where rules break over two axes; None where a column of the table says it all."""
        from flt.grid.results.pictures.break_maps import draw_break_maps

        return draw_break_maps(self.outline, self.rows, style)

    def draw(self, figure: Figure | None = None, style: FigureStyle = USUAL) -> "Canvas":
        """Draws the grid.

        Args:
            figure: How; None is as the grid's configuration says.
            style: Size, letters, headline and legend.

        Raises:
            InputError: If the grid has no such axes, or nothing is finished.
        """
        from flt.grid.results.pictures.figures import curves_of, draw_lines

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
            return curves_of(self.outline, self.folder, figure, self.rows, style)
        if figure.x is None:
            raise InputError(f"x is missing: name the axis along which the lines run, one of {axes}")
        return draw_lines(self.outline, self.rows, figure, style)


def _unfinished(folder: Path) -> tuple[dict[str, str], int]:
    """What went wrong in runs of a grid, and how many are left; nothing where the file is not there or damaged."""
    try:
        known = json.loads((folder / UNFINISHED).read_text())
        return {str(name): str(error) for name, error in known["failures"].items()}, int(known["left"])
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}, 0
