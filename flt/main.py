"""The command line ``flt``."""

import sys
from collections.abc import Callable, Sequence

from flt.cli.dashboard import dashboard
from flt.cli.exit_status import exit_status
from flt.cli.training import FederatedCLI
from flt.grid.commands import plot, table
from flt.server.processes import leave

TOOLS: dict[str, Callable[[list[str]], int | None]] = {"table": table, "plot": plot, "dashboard": dashboard}
"""The subcommands that are no methods of the trainer."""


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        args: Arguments instead of those of the process.

    Returns:
        The exit status: 0, or 2 after a mistake in the input, which is explained in one line on standard error.
    """
    words = sys.argv[1:] if args is None else list(args)

    def command() -> int | None:
        if words and words[0] in TOOLS:
            return TOOLS[words[0]](words[1:])
        FederatedCLI(words)
        leave()
        return None

    return exit_status(command)


def console() -> None:
    """Entry point of the ``flt`` command."""
    sys.exit(main())
