"""What the pages of rules and of attacks share: their classes, and what their docstrings say, in Markdown."""

import inspect
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docstring_parser

import callbacks
from flt.grid.leaderboard.entry import section

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
Column = Callable[[Any], str]


def classes(base: type) -> list[Any]:
    """Every class of a kind that may be chosen by its name."""
    found = [value for name, value in vars(callbacks).items() if inspect.isclass(value) and name in callbacks.__all__]
    return sorted({kind for kind in found if issubclass(kind, base)}, key=lambda kind: kind.__name__.lower())


def measured(name: str) -> dict[str, Any]:
    """What a benchmark has measured."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def table(title: str, kinds: Sequence[type], columns: dict[str, Column]) -> None:
    """Prints a section: a table with a row for each class."""
    print(f"## {title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'---|' * len(columns)}")
    for kind in kinds:
        print(f"| {' | '.join(column(kind) for column in columns.values())} |")
    print()


def told(kinds: Sequence[type]) -> None:
    """Prints what each class refuses, and how it reads its paper."""
    print("## What each refuses, and how we read it\n")
    for kind in kinds:
        texts = {name: plain(section(kind, name)).removeprefix("InputError: ") for name in ("Raises", "Reading")}
        said = {name: text for name, text in texts.items() if text not in ("", "If an argument is out of range.")}
        if said:
            print(f"**`{kind.__name__}`**\n")
            for name, text in said.items():
                print(f"- {name}: {text}")
            print()


def name_of(kind: type) -> str:
    """A class by its name."""
    return f"`{kind.__name__}`"


def summary(kind: type) -> str:
    """The first line of a docstring."""
    return plain(docstring_parser.parse(inspect.getdoc(kind) or "").short_description or "")


def paper(kind: type) -> str:
    """Where a class comes from."""
    return plain(section(kind, "Reference"))


def plain(text: str) -> str:
    """A docstring's text in a cell of a Markdown table."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split())).replace("|", "\\|")
