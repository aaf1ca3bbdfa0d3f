"""The page of the leaderboard."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flt
from flt.errors import InputError
from flt.grid.leaderboard.checking import check_form, check_name
from flt.grid.leaderboard.entry import Entry
from flt.grid.leaderboard.task import FILE, Task, short_name
from flt.grid.plan.naming import MEASURES
from flt.grid.plan.outline import Outline
from flt.grid.report.arguments import arguments_of
from flt.grid.report.cells import distinct, hash_of, usual_settings
from flt.grid.report.document import FORMAT, grid_of
from flt.grid.report.tables import ATTACK, RULE
from flt.grid.results.rows import Row, panel_title

NONE = "NoAttack"


def read_leaderboard(folder: Path) -> list[tuple[Task, list[Entry]]]:
    """The tasks of a leaderboard, those without entries last, and the entries of each, the best first.

    Raises:
        InputError: If there is none, or an entry would not be admitted.
    """
    tasks = [Task.read(path.parent) for path in sorted(folder.glob(f"*/{FILE}"))]
    if not tasks:
        raise InputError(f"leaderboard={str(folder)!r} holds no TASK/{FILE}: name the folder of the leaderboard")
    found = []
    for task in tasks:
        entries = [Entry.read(path) for path in sorted(task.folder.glob("*.json"))]
        for entry in entries:
            check_form(entry, task)
            check_name(entry, entries)
        found.append((task, sorted(entries, key=lambda entry: entry.worst.mean)))
    return sorted(found, key=lambda each: not each[1])


def page_as_data(leaderboard: Sequence[tuple[Task, Sequence[Entry]]]) -> dict[str, Any]:
    """The document of the page: as of a report, with a grid for each task, and the places of its entries."""
    grids = [_grid(task, entries) for task, entries in leaderboard]
    return {"format": FORMAT, "title": "Leaderboard", "flt": flt.__version__, "grids": grids}


def _grid(task: Task, entries: Sequence[Entry]) -> dict[str, Any]:
    """A task with its entries."""
    further = [rate.attack for entry in entries for rate in entry.worst_of_attacks()[:2]]
    attacks = list(dict.fromkeys([*task.attacks, *further]))  # of further ones those that matter to an entry
    rules = [entry.rule for entry in entries]
    outline = Outline(task.grid.outline.title, {RULE: rules, ATTACK: attacks}, task.grid.seeds, RULE, ATTACK)
    rows = [row for entry in entries for row in _rows(entry) if row[ATTACK] in attacks]
    cells = [cell for entry in entries for cell in _cells(task, entry) if cell["labels"][ATTACK] in attacks]
    made = grid_of(outline, rows, cells)
    numbers = {(cell["labels"][RULE], cell["labels"][ATTACK]): number for number, cell in enumerate(made["cells"])}
    places = [_place(task, entry, numbers, outline) for entry in entries]
    return {
        **made,
        "name": task.name,
        "config": os.fspath(Path("leaderboard") / task.name / FILE),
        "attacks": list(task.attacks),
        "rounds": task.rest["trainer"]["max_steps"],
        "places": places,
    }


def _rows(entry: Entry) -> list[Row]:
    """A row for each of its runs."""
    return [
        {RULE: entry.rule, ATTACK: label, "seed": int(seed), **{name: run[name] for name in MEASURES}}
        for label, known in entry.attacks.items()
        for seed, run in known["runs"].items()
    ]


def _cells(task: Task, entry: Entry) -> list[dict[str, Any]]:
    """Its cells, as those of a report's grid."""
    made = []
    for label, known in entry.attacks.items():
        labels, runs = {RULE: entry.rule, ATTACK: label}, known["runs"]
        settings = {**task.rest, "aggregation": entry.content["settings"], ATTACK: known["settings"]}
        made.append(
            {
                "labels": labels,
                "title": panel_title(labels),
                "attack": short_name(known["settings"]),
                "seconds": {seed: run["seconds"] for seed, run in runs.items()},
                "versions": distinct([run["versions"] for run in runs.values()]),
                "settings_hash": hash_of(settings),
                "arguments": arguments_of(settings, usual_settings()),
                "charts": [],
                "states": {seed: run["state"] for seed, run in runs.items()},
            }
        )
    return made


def _place(task: Task, entry: Entry, numbers: dict[tuple[str, str], int], outline: Outline) -> dict[str, Any]:
    """An entry's line of the ranking: its largest rates, and those without an attack."""

    def told(attack: str, measure: str, mean: float) -> dict[str, Any]:
        about = {"attack": attack, "measure": measure, "mean": mean, "text": outline.scale_of(measure).measured(mean)}
        return {**about, "cell": numbers[entry.rule, attack], "is_further": attack not in task.attacks}

    first, *others = entry.worst_of_attacks()
    clean = [rate for rate in (first, *others) if short_name(entry.attacks[rate.attack]["settings"]) == NONE]
    content = entry.content
    return {
        "rule": entry.rule,
        "file": entry.path.name,
        "paper": content["paper"],
        "code": content["code"],
        "worst": told(*first),
        "second": told(*others[0]) if others else None,
        "clean": told(*clean[0]) if clean else None,
    }
