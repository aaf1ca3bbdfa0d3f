"""The command line ``flt``; each command imports what it needs, so that others answer at once."""

import sys
from collections.abc import Sequence

import flt
from flt.cli.commands import overview, unknown
from flt.cli.environment import set_up_messages
from flt.cli.exit_status import exit_status


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        args: Arguments instead of those of the process.

    Returns:
        The exit status: 0, or 2 after a mistake in the input, which is explained in one line on standard error.
    """
    words = sys.argv[1:] if args is None else list(args)
    return exit_status(lambda: run(words))


def run(words: Sequence[str]) -> int | None:
    """Runs the command that the first word names.

    Raises:
        InputError: If it names none, or the others make no sense to it.
    """
    command, rest = (words[0] if words else None), list(words[1:])
    if command in ("-h", "--help", "help"):
        print(overview(), end="")
    elif command == "--version":
        print(f"flt {flt.__version__}")
    elif command == "table":
        from flt.grid.commands import table

        return table(rest)
    elif command == "plot":
        from flt.grid.commands import plot

        plot(rest)
    elif command == "dashboard":
        from flt.cli.dashboard import dashboard

        dashboard(rest)
    elif command == "data":
        from flt.cli.data import data

        set_up_messages()  # anew, as Lightning has been imported
        data(rest)
    elif command in ("fit", "validate", "test", "predict"):
        from flt.cli.training import train_or_evaluate

        set_up_messages()
        train_or_evaluate(command, rest)
    else:
        raise unknown(command)
    return None


def console() -> None:
    """Entry point of the ``flt`` command."""
    sys.exit(main())
