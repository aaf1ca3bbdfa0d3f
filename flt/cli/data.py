"""``flt data``: who holds what in a run, without training."""

import warnings
from argparse import SUPPRESS
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import seed_everything
from rich.console import Console

from flt.cli.settings import make_parser, read
from flt.display.drawing import as_file, check_figure_path
from flt.display.figure_style import FigureStyle
from flt.display.overview import overview_of
from flt.display.overview_figure import draw_overview
from flt.display.overview_table import print_overview
from flt.files import write_atomically

SHOWN = ("data", "attack", "style", "seed_everything", "config", "help", "print_config")
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
    parser.add_class_arguments(FigureStyle, "style", skip={"formats"})
    settings = read("data", args, parser).settings
    path = None if settings.plot is None else Path(settings.plot).expanduser()
    if path is not None:
        check_figure_path(path, "plot")
    elif settings.style != parser.get_defaults().style:
        warnings.warn("style: these settings have no effect without --plot", stacklevel=2)
    seed_everything(settings.seed_everything, workers=True)
    for name in vars(settings).keys() - {"data", "attack", "style"}:  # which would make a network and loggers
        del settings[name]
    made = parser.instantiate(settings)
    overview = overview_of(made.data, made.attack)
    print_overview(overview)
    if path is not None:
        write_atomically(path, as_file(draw_overview(overview, made.style), path, made.style))
        Console(markup=False).print(f"Figure in {path}", highlight=False, soft_wrap=True)
