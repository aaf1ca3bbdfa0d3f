"""The command line ``flt``; each command imports what it needs, so that others answer at once."""

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import flt
from flt.cli.commands import COMMANDS, OVERVIEW, export_parser
from flt.cli.environment import set_up_messages
from flt.cli.exit_status import exit_status
from flt.errors import InputError

if TYPE_CHECKING:
    from flt.cli.settings import Request


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line with some arguments, or those of the process; the exit status, see `exit_status`."""
    words = sys.argv[1:] if args is None else list(args)
    return exit_status(lambda: command_named(words[0] if words else "nothing")(words[1:]))


def command_named(name: str) -> Callable[[Sequence[str]], int | None]:
    """What runs the command of this name with its arguments; an `InputError` if there is none."""
    if name in ("-h", "--help", "help", "--version"):
        return lambda _: print(f"flt {flt.__version__}" if name == "--version" else OVERVIEW)
    if name not in COMMANDS:
        close = get_close_matches(name, COMMANDS, 1)
        advice = f"did you mean {close[0]}? There are" if close else "begin with flt fit, or another of"
        raise InputError(f"{name} is no command: {advice} {', '.join(COMMANDS)} (see flt --help)")
    if name in ("table", "plot"):
        from flt.grid.commands import plot, table

        return table if name == "table" else plot
    if name == "certify":
        from flt.grid.certifying import certify

        return certify
    if name == "report":
        from flt.grid.reporting import report

        return report
    if name == "leaderboard":
        from flt.grid.ranking import leaderboard

        return leaderboard
    if name == "export":
        return _export
    if name == "dashboard":
        from flt.cli.dashboard import dashboard

        return dashboard
    if name == "data":
        from flt.cli.data import data

        set_up_messages()  # anew, as Lightning has been imported
        return data
    from flt.cli.training import train_or_evaluate

    set_up_messages()
    run = partial(train_or_evaluate, name)
    return partial(run, instead=in_place_of_a_run) if name == "fit" else run


def _export(args: Sequence[str]) -> None:
    """Runs ``flt export``; its help does without Flower."""
    parser = export_parser()
    if parser.parse_known_args(args)[0].help:
        parser.print_help()
        return
    if find_spec("flwr") is None:
        raise InputError('flt export needs Flower: pip install "flt[flower]"')
    from flt.flower.export import export

    set_up_messages()  # anew, as Lightning has been imported
    export(args)


def in_place_of_a_run(request: "Request") -> int | None:
    """Runs the grid of a set of attacks where settings of ``flt fit`` name one; None, and nothing, for one attack."""
    from callbacks.attacks.worst import is_worst

    if not is_worst(request.settings.attack.class_path):
        return None
    from flt.grid.worst import run_worst

    return run_worst(request)


def console() -> None:
    """Entry point of the ``flt`` command."""
    sys.exit(main())
