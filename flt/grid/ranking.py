"""``flt leaderboard``, and the entries of ``flt table --entry``."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from flt.cli.commands import COMMANDS
from flt.cli.parser import PlainParser
from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.reporting import check_report_path, say

if TYPE_CHECKING:  # the help does without torch
    from flt.grid.leaderboard.adding import Additions
    from flt.grid.leaderboard.checking import Finding

FOLDER = "leaderboard"
PAGE = "leaderboard.html"


def leaderboard_parser() -> argparse.ArgumentParser:
    """The parser of ``flt leaderboard``."""
    parser = PlainParser("flt leaderboard", description=COMMANDS["leaderboard"])
    commands = parser.add_subparsers(dest="command", required=True, parser_class=PlainParser)
    about = "Hold entries against their task, and run some cells anew: one of the worst attack, and the fastest."
    check = commands.add_parser("check", help=about, description=about)
    check.add_argument(
        "entries", nargs="+", type=Path, metavar="ENTRY", help="Such as leaderboard/har-lr-30/krum.json."
    )
    check.add_argument(
        "--cells", type=int, default=2, metavar="N", help="Cells of each that are run anew (2); 0: none."
    )
    check.add_argument("--out", type=Path, default=None, metavar="DIR", help="Keeps the runs; else they are removed.")
    about = "Make one page of HTML of all tasks and entries."
    build = commands.add_parser("build", help=about, description=about)
    build.add_argument("--folder", type=Path, default=Path(FOLDER), metavar="DIR", help=f"The leaderboard ({FOLDER}).")
    build.add_argument("--out", type=Path, default=Path(PAGE), metavar="FILE", help=f"The page ({PAGE}).")
    return parser


def leaderboard(args: Sequence[str]) -> int:
    """Runs ``flt leaderboard``.

    Args:
        args: Its arguments.

    Returns:
        0, or 1 if a run is not what its entry says.

    Raises:
        InputError: If an entry would not be admitted, or a file is damaged.
    """
    given = leaderboard_parser().parse_args(list(args))
    return _build(given.folder, given.out) if given.command == "build" else _check(given)


def _build(folder: Path, page: Path) -> int:
    check_report_path(page, "out")
    from flt.grid.leaderboard.site import page_as_data, read_leaderboard  # here, as the help does without torch
    from flt.grid.report.page import page_of

    found = read_leaderboard(folder)
    write_atomically(page, page_of(page_as_data(found), template="leaderboard.html.j2"))
    say(f"{sum(len(entries) for _, entries in found)} entries of {len(found)} tasks in {page}")
    return 0


def _check(given: argparse.Namespace) -> int:
    if given.cells < 0:
        raise InputError(f"cells={given.cells} must be 0 or more")
    from flt.grid.leaderboard.checking import check_form, check_name, run_anew
    from flt.grid.leaderboard.entry import Entry
    from flt.grid.leaderboard.task import Task

    entries = [Entry.read(path) for path in given.entries]
    tasks = {folder: Task.read(folder) for folder in {entry.path.parent: None for entry in entries}}
    others = {folder: [Entry.read(path) for path in sorted(folder.glob("*.json"))] for folder in tasks}
    for entry in entries:
        check_form(entry, tasks[entry.path.parent])
        check_name(entry, others[entry.path.parent])
    say(f"{len(entries)} {'entry has' if len(entries) == 1 else 'entries have'} the form and the settings of the task")
    findings: list[tuple[str, Finding]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(given.out or scratch).expanduser()
        for entry in entries if given.cells else []:
            with Console().status(f"running cells of {entry.rule} anew"):
                anew = list(run_anew(entry, tasks[entry.path.parent], folder, given.cells))
            findings += [(entry.rule, finding) for finding in anew]
    if findings:
        _show(findings)
    return 0 if all(finding.is_right for _, finding in findings) else 1


def _show(findings: Sequence[tuple[str, "Finding"]]) -> None:
    table = Table("rule", "attack", "seed", "run anew")
    for rule, finding in findings:
        table.add_row(
            rule, finding.attack, str(finding.seed), finding.verdict, style=None if finding.is_right else "red"
        )
    Console().print(table)


def additions_to(entry: Path) -> "Additions":
    """What ``flt table --entry`` makes; see `Additions`."""
    from flt.grid.leaderboard.adding import Additions  # here, as the help does without torch

    return Additions(entry)


def say_written(additions: "Additions") -> int:
    """Writes entries, and says which; 1 if a rule has none, else 0."""
    written, left = additions.write()
    for path, entry in written.items():
        lacks = ": write into its code where others find the rule" if entry.content["code"] is None else ""
        say(f"Entry in {path}{lacks}")
    for reason in left:
        say(f"No entry of {reason}")
    return 1 if left else 0
