"""``flt report``, and the pages of ``flt table --html`` and ``--serve``."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from flt.cli.commands import COMMANDS
from flt.cli.parser import FederatedArgumentParser
from flt.errors import InputError
from flt.grid.results.results import Results

if TYPE_CHECKING:  # the help does without torch and matplotlib
    from flt.grid.report.server import LivePage

PORT = 8321
"""Where ``flt table --serve`` shows the page unless told otherwise."""


def report_parser() -> FederatedArgumentParser:
    """The parser of ``flt report``."""
    parser = FederatedArgumentParser(prog="flt report", description=COMMANDS["report"])
    parser.add_argument("results", type=str, nargs="+", help="Folders of flt table.")
    parser.add_argument(
        "--out",
        type=str | None,
        default=None,
        help="The page; null is report.html, in the folder of a single grid or here. results.json goes beside it.",
    )
    parser.add_argument("--title", type=str | None, default=None, help="Headline; null is the grid's own.")
    return parser


def report(args: Sequence[str]) -> None:
    """Runs ``flt report``.

    Args:
        args: Its arguments.

    Raises:
        InputError: If a folder holds no grid, or the page cannot be written.
    """
    settings = report_parser().parse_args(list(args))
    folders = [Path(name).expanduser() for name in settings.results]
    path = Path(settings.out or (folders[0] if len(folders) == 1 else Path()) / "report.html").expanduser()
    check_report_path(path, "out")
    _write(path, [_read(folder) for folder in folders], settings.title)


def _read(folder: Path) -> Results:
    """The results in a folder of ``flt table``."""
    if not folder.is_dir():
        raise InputError(f"results={str(folder)!r}: there is no such folder; give folders that flt table has written")
    if (folder / "grid.yaml").is_file():
        return Results.read(folder)
    is_run = (folder / "config.yaml").is_file()
    what = "holds a single run, which flt plot draws" if is_run else "holds no grid.yaml"
    raise InputError(f"results={str(folder)!r} {what}: give folders that flt table has written")


@contextmanager
def reporting(html: Path | None, port: int | None) -> Iterator[Callable[[Results], None]]:
    """Shows the results of a grid while it goes on, and writes its page in the end, also where the grid is stopped.

    Args:
        html: The page; None is none.
        port: Where browsers of this machine find it meanwhile; None is nowhere.

    Yields:
        What the grid gives its results to.

    Raises:
        InputError: If the port is not to be had.
    """
    latest: list[Results] = []
    try:
        with nullcontext() if port is None else _live_page(port) as live:
            if live is not None:
                say(f"The page is at {live.address} until the grid has ended")

            def watch(results: Results) -> None:
                latest[:] = [results]
                if live is not None:
                    live.show(results)

            yield watch
    finally:
        if html is not None and latest:
            _write(html, latest)


def _write(path: Path, grids: Sequence[Results], title: str | None = None) -> None:
    from flt.grid.report.document import document_of  # here, as the help does without torch and matplotlib
    from flt.grid.report.files import write_report

    write_report(path, document_of(grids, title))
    say(f"Report in {path}")


def _live_page(port: int) -> "LivePage":
    from flt.grid.report.server import LivePage  # here, for the same reason

    return LivePage(port)


def check_report_path(path: Path, name: str) -> None:
    """Raises an `InputError` unless a page can be written to ``path``.

    Args:
        path: The file.
        name: The setting that names it.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{name}={str(path)!r} is no name of a page: let it end in .html, such as report.html")
    if path.is_dir():
        raise InputError(f"{name}={str(path)!r} is a folder: name a file in it, such as {path / 'report.html'}")
    folder = next(each for each in path.absolute().parents if each.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"{name}={str(path)!r}: no file can be written in {str(folder)!r}: name another folder")


def say(text: str) -> None:
    """Prints a line as it is, in no colours."""
    Console(markup=False).print(text, highlight=False, soft_wrap=True)
