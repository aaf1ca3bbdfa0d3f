"""``flt table`` and ``flt plot``."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from jsonargparse import Namespace
from rich.console import Console

from flt.cli.commands import COMMANDS
from flt.cli.exit_status import ending
from flt.cli.parser import FederatedArgumentParser
from flt.display.figure_style import FigureStyle
from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.execution.launchers import Launcher, Local, Ray, Slurm
from flt.grid.execution.run import run_grid
from flt.grid.plan.grid import Grid
from flt.grid.plan.outline import Figure
from flt.grid.plan.reading import add_grid, parsed
from flt.grid.ranking import additions_to, say_written
from flt.grid.reporting import PORT, check_report_path, reporting, say
from flt.grid.results.explaining import explanation
from flt.grid.results.markdown import as_rich
from flt.grid.results.results import Results
from flt.runs.reading import metrics_of
from flt.runs.summary import read_summary

if TYPE_CHECKING:  # the help does without matplotlib
    from matplotlib.figure import Figure as Canvas

KINDS = ("lines", "curves", "table", "breaks", "run")
OF_KINDS = (
    "Of a grid: lines over an axis, curves over the rounds, its table as heat maps, or where rules break; of one run:"
    " all of its curves, as in its curves.png."
)
LAUNCHERS = {"local": Local, "ray": Ray, "slurm": Slurm}


def table_parser() -> FederatedArgumentParser:
    """The parser of ``flt table``."""
    parser = FederatedArgumentParser(prog="flt table", description=COMMANDS["table"])
    add_grid(parser)
    parser.add_argument("--out", type=str, required=True, help="Folder of the results.")
    parser.add_argument(
        "--jobs",
        type=int | None,
        default=None,
        help="Runs at a time. Null is one for local, and as many as there is room for on a cluster.",
    )
    parser.add_argument(
        "--html", type=str | None, default=None, help="A page of the results, such as report.html, as flt report's."
    )
    parser.add_argument(
        "--entry",
        type=str | None,
        default=None,
        help="An entry of the leaderboard, such as leaderboard/har-lr-30/my_rule.json, that the runs make or add to; or"
        " a task's folder, for an entry of each level of the axis rule.",
    )
    parser.add_argument(
        "--serve",
        type=int | None,
        nargs="?",
        const=PORT,
        default=None,
        metavar="PORT",
        help=f"Shows the page to browsers of this machine while the grid goes on, at port {PORT} or another.",
    )
    parser.add_argument("--launcher", type=Literal[tuple(LAUNCHERS)], default="local", help="Where the runs happen.")
    parser.add_class_arguments(FigureStyle, "style")
    for name, launcher in LAUNCHERS.items():
        parser.add_class_arguments(launcher, name)
    return parser


class Request(NamedTuple):
    """What ``flt table`` is asked for."""

    grid: Grid
    out: Path
    jobs: int | None
    launcher: Launcher
    style: FigureStyle
    html: Path | None = None
    port: int | None = None
    entry: Path | None = None


def request(args: Sequence[str]) -> Request:
    """Reads the arguments of ``flt table``.

    Raises:
        InputError: If they do not make a grid.
    """
    parser = table_parser()
    settings, made, grid = parsed(parser, args)
    out = Path(settings.out)
    if out.is_file():
        raise InputError(f"out={settings.out!r} is a file: give a folder of its own")
    for name in LAUNCHERS.keys() - {settings.launcher}:
        if settings[name] != parser.get_defaults()[name]:
            warnings.warn(f"{name}: these settings have no effect with --launcher {settings.launcher}", stacklevel=2)
    html = None if settings.html is None else Path(settings.html).expanduser()
    if html is not None:
        check_report_path(html, "html")
    entry = None if settings.entry is None else Path(settings.entry).expanduser()
    return Request(grid, out, settings.jobs, made[settings.launcher], made.style, html, settings.serve, entry)


def table(args: Sequence[str]) -> int:
    """Runs ``flt table``.

    Args:
        args: Its arguments.

    Returns:
        0, or 1 if a cell failed, or there are no runs to make an entry of.

    Raises:
        InputError: If the grid cannot be run.
        Stopped: If it was interrupted.
    """
    grid, out, jobs, launcher, style, html, port, entry = request(args)
    additions = None if entry is None else additions_to(entry)
    try:
        with reporting(html, port) as watch:
            results = run_grid(
                grid,
                out,
                jobs=jobs,
                launcher=launcher,
                style=style,
                watch=watch,
                check=None if additions is None else additions.check,
            )
    except KeyboardInterrupt as interrupt:
        raise ending(interrupt, "; the same command goes on from here") or interrupt from interrupt
    status = report(results, out)
    return status if additions is None else max(status, say_written(additions))


def report(results: Results, out: Path) -> int:
    """Prints the tables of a grid and what failed; 1 if anything did, else 0."""
    console, outline = Console(), results.outline
    for panel in as_rich(outline, results.rows):
        console.print(panel)
    console.print(explanation(outline, results.rows, below=True, brief=True), markup=False, highlight=False)
    for name, error in results.failures.items():
        console.print(f"failed: {name}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    say(f"Results in {out}")
    return 1 if results.failures else 0


def plot_parser() -> FederatedArgumentParser:
    """The parser of ``flt plot``."""
    parser = FederatedArgumentParser(prog="flt plot", description=COMMANDS["plot"])
    parser.add_argument("results", type=str, nargs="+", help="A folder of flt table, or folders of runs of flt fit.")
    parser.add_argument(
        "--out", type=str | None, default=None, help="The file, such as curves.pdf; null is figure.png."
    )
    parser.add_argument("--kind", type=Literal[KINDS] | None, default=None, help=OF_KINDS)
    parser.add_argument("--x", type=str | None, default=None, help="The axis along which lines run.")
    parser.add_argument("--lines", type=str | None, default=None, help="The axis of which each level is a line.")
    parser.add_argument("--panels", type=str | None, default=None, help="The axis of which each level is a panel.")
    parser.add_argument("--y", type=list[str] | None, default=None, help="Measures, such as [training_loss].")
    parser.add_class_arguments(FigureStyle, "style", skip={"formats"})
    return parser


def plot(args: Sequence[str]) -> None:
    """Runs ``flt plot``.

    Args:
        args: Its arguments.

    Raises:
        InputError: If there is nothing to draw.
    """
    parser = plot_parser()
    settings = parser.parse_args(list(args))
    style: FigureStyle = parser.instantiate(settings).style
    from flt.display.drawing import as_file, check_figure_path  # here, as the help does without matplotlib

    folders = [Path(name).expanduser() for name in settings.results]
    is_grid = (folders[0] / "grid.yaml").is_file()
    path = Path(settings.out or (folders[0] if is_grid else Path()) / "figure.png")
    check_figure_path(path, "out")
    canvas = (_drawn_grid if is_grid else _drawn_runs)(folders, settings, style)
    write_atomically(path, as_file(canvas, path, style))
    say(f"Figure in {path}")


def _drawn_grid(folders: Sequence[Path], settings: Namespace, style: FigureStyle) -> "Canvas":
    """The figure of a grid that is asked for."""
    if len(folders) > 1:
        raise InputError(f"{folders[0]} holds a grid: draw each grid by itself")
    results = Results.read(folders[0])
    given = {name: getattr(settings, name) for name in ("kind", "x", "lines", "panels", "y")}
    changes = {name: value for name, value in given.items() if value is not None}
    if settings.kind in ("lines", "curves", None):
        usual = results.outline.figure or Figure()
        if settings.kind == "curves":
            usual = replace(usual, x=None)  # they run over the rounds
        return results.draw(replace(usual, **changes) if changes else None, style)
    if settings.kind == "run":
        raise InputError(f"kind=run is of one run, and {folders[0]} holds a grid: name a folder of its cells")
    if len(changes) > 1:
        raise InputError(f"--{[*changes][1]} has no effect with kind={settings.kind}: leave it out")
    canvas = results.draw_table(style) if settings.kind == "table" else results.draw_breaks(style)
    if canvas is None:
        raise InputError(f"kind=breaks: {folders[0]} has no map of where rules break: give breaks and two further axes")
    return canvas


def _drawn_runs(folders: Sequence[Path], settings: Namespace, style: FigureStyle) -> "Canvas":
    """The figure of single runs that is asked for."""
    from flt.display.curves import draw_curves as draw_run
    from flt.grid.results.pictures.figures import draw_curves

    if settings.x or settings.lines or settings.panels or settings.kind not in ("curves", "run", None):
        raise InputError(f"{folders[0]} has no grid.yaml: of single runs there are curves alone, --y chooses of what")
    if settings.kind != "run":
        return draw_curves("", grouped(folders), settings.y, style=style)
    if len(folders) > 1 or settings.y:
        raise InputError("kind=run draws all curves of one run: name one folder, and leave out --y")
    summary = read_summary(folders[0])
    who = f"{summary['num_malicious']} of {summary['num_clients']} clients malicious"
    title = " · ".join(str(summary[name]) for name in ("data", "aggregation", "attack"))
    return draw_run(metrics_of(folders[0]), f"{title} ({who})", style)


def grouped(folders: Sequence[Path]) -> dict[tuple[str, str], list[Path]]:
    """Runs by their data, and by rule and attack; those that differ in their seed alone are one line."""
    groups: dict[tuple[str, str], list[tuple[int, Path]]] = {}
    for folder in folders:
        summary = read_summary(folder)
        attack = "no attack" if summary["attack"] == "NoAttack" else summary["attack"]
        groups.setdefault((summary["data"], f"{summary['aggregation']}, {attack}"), []).append(
            (summary["seed"], folder)
        )
    made = {}
    for (data, line), runs in groups.items():
        if len({seed for seed, _ in runs}) == len(runs):
            made[data, line] = [folder for _, folder in runs]
        else:  # they differ in something else
            names = [folder.name for _, folder in runs]
            for _, folder in runs:
                name = folder if names.count(folder.name) > 1 else folder.name
                made[data, f"{line} ({name})"] = [folder]
    return made
