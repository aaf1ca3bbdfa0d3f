"""``flt data``: who holds what in a run, without training."""

from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import seed_everything
from rich.console import Console

from flt.cli.settings import make_parser, read
from flt.display.overview import overview_of
from flt.display.overview_figure import draw_overview
from flt.display.overview_table import print_overview
from flt.display.style import as_file, check_figure_path
from flt.files import write_atomically

SHOWN = ("data", "attack", "seed_everything", "config", "help", "print_config")
PLOT = "File for a figure of the clients' data, the root dataset and the backdoor's trigger, such as partition.png."


def data(args: Sequence[str]) -> None:
    """Runs ``flt data``: prints who holds what in the run that ``flt fit`` makes of the same settings, and draws it.

    Raises:
        InputError: If the figure cannot be written, or the data cannot be loaded or dealt out.
    """
    parser = make_parser("data")  # which takes all settings of a run, and shows those that decide who holds what
    for action in parser._actions:
        action.help = action.help if action.dest.startswith(SHOWN) else SUPPRESS
    parser.add_argument("--plot", type=str | None, default=None, metavar="FILE", help=PLOT)
    settings = read("data", args, parser).settings
    path = None if settings.plot is None else Path(settings.plot).expanduser()
    if path is not None:
        check_figure_path(path, "plot")
    seed_everything(settings.seed_everything, workers=True)
    for name in vars(settings).keys() - {"data", "attack"}:  # which would make a network and loggers
        del settings[name]
    made = parser.instantiate(settings)
    overview = overview_of(made.data, made.attack)
    print_overview(overview)
    if path is not None:
        write_atomically(path, as_file(draw_overview(overview), path))
        Console(markup=False).print(f"Figure in {path}", highlight=False, soft_wrap=True)
