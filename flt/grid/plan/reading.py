"""Grids from the command line, and from files."""

import inspect
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from flt.cli.parser import FederatedArgumentParser
from flt.grid.plan.axes import anchored
from flt.grid.plan.grid import Grid


def add_grid(parser: FederatedArgumentParser) -> None:
    """Lets a parser take a grid, with a configuration file."""
    parser.add_config("The grid, such as configs/tables/table3_har.yaml.")
    parser.add_class_arguments(Grid, help="The grid")


def parsed(parser: FederatedArgumentParser, args: Sequence[str]) -> tuple[Namespace, Namespace, Grid]:
    """What arguments say, what they make, and the grid among it.

    Raises:
        InputError: If they do not make a grid.
    """
    settings = parser.parse_args([_with_flat_key(word) for word in args])
    made = parser.instantiate(settings)
    if made.settings:
        made.settings = {str(name).replace("/", "."): value for name, value in made.settings.items()}
    if settings.config:  # as what jsonargparse knows to be files
        made.axes = anchored(made.axes, Path(settings.config[-1].absolute).parent)
    return settings, made, Grid(**{name: made[name] for name in inspect.signature(Grid).parameters})


def read_grid(path: Path) -> Grid:
    """The grid that a configuration file describes.

    Raises:
        InputError: If it does not.
    """
    parser = FederatedArgumentParser(prog="flt table")
    add_grid(parser)
    _, _, grid = parsed(parser, [f"--config={path}"])
    return grid


def _with_flat_key(word: str) -> str:
    """``--settings.a.b`` as ``--settings.a/b``: of two that share the a, jsonargparse would keep the last alone."""
    option, is_joined, value = word.partition("=")
    if not option.startswith("--settings."):
        return word
    return "--settings." + option.removeprefix("--settings.").replace(".", "/") + is_joined + value
