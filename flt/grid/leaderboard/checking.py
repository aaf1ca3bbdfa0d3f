"""Checking an entry: its form, its settings, and some of its runs anew, bit for bit."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from flt.errors import InputError
from flt.grid.execution.job import run
from flt.grid.execution.run import csv_logger
from flt.grid.leaderboard.entry import Entry, run_as_data
from flt.grid.leaderboard.task import Task
from flt.grid.plan.naming import MEASURES, slug
from flt.grid.report.tables import ATTACK

TOLERANCE = 0.05
"""By how much a rate may differ on another machine, or with other versions, where last bits are not the same."""


class Finding(NamedTuple):
    """What running a cell of an entry anew has shown.

    Attributes:
        attack: The attack's label.
        seed: The seed.
        verdict: In words.
        is_right: Whether the entry stands.
    """

    attack: str
    seed: int
    verdict: str
    is_right: bool


def check_form(entry: Entry, task: Task) -> None:
    """Holds an entry against its task, without running anything.

    Raises:
        InputError: If it would not be admitted.
    """
    if entry.content["task"] != task.name:
        raise InputError(f"{entry.path}: task={entry.content['task']} is not {task.name}, where it lies")
    if entry.content["code"] is None:
        raise InputError(f"{entry.path}: code is null: write the address at which others find the rule")
    seeds = [str(seed) for seed in task.grid.seeds]
    for label, known in entry.attacks.items():
        refusal = task.refuses(label, known["settings"])
        if refusal is not None:
            raise InputError(f"{entry.path}: {label}: {refusal}")
        if known["runs"].keys() != {*seeds}:
            raise InputError(f"{entry.path}: {label} has the seeds {', '.join(known['runs'])}, not {', '.join(seeds)}")
    missing = task.attacks.keys() - entry.attacks.keys()
    if missing:
        raise InputError(
            f"{entry.path}: {', '.join(sorted(missing))} is missing: every attack of the task must be there"
        )


def check_name(entry: Entry, others: Iterable[Entry]) -> None:
    """Raises an `InputError` if another entry of the task has the name of an entry's rule.

    Args:
        entry: The entry.
        others: The task's entries, this one may be among them.
    """
    for other in others:
        if other.rule == entry.rule and other.path.name != entry.path.name:
            raise InputError(f"{entry.path}: {other.path.name} is called {entry.rule} as well: rename one")


def run_anew(entry: Entry, task: Task, folder: Path, cells: int) -> Iterator[Finding]:
    """Runs cells of an entry, and compares: one of its worst attack, then those that took the least time.

    Args:
        entry: The entry.
        task: Its task.
        folder: Where the runs' files go.
        cells: How many; each is one attack with one seed.

    Yields:
        What came of each.

    Raises:
        InputError: If settings of the entry are refused.
    """
    places = sorted(
        (math.inf if run["seconds"] is None else run["seconds"], label, int(seed))
        for label, known in entry.attacks.items()
        for seed, run in known["runs"].items()
    )
    first = next(place for place in places if place[1] == entry.worst.attack)  # by which it is ranked
    places = [first, *(place for place in places if place != first)]
    jobs = next(iter(task.jobs.values()))  # any attack of the task has the other settings of a seed's run
    for number, (_, label, seed) in enumerate(places[:cells]):
        settings = yaml.safe_load(jobs[seed].settings)
        attack = task.attacks.get(label, entry.attacks[label]["settings"])
        settings |= {"aggregation": entry.content["settings"], ATTACK: attack}
        place = folder / task.name / entry.path.stem / f"{number}-{slug(label)}" / f"seed_{seed}"
        settings["trainer"]["logger"] = [csv_logger(place)]
        claimed = entry.attacks[label]["runs"][str(seed)]
        threads = (claimed["machine"] or {}).get("threads", 1)  # as of a grid with a run on each core
        job = replace(jobs[seed], folder=place, settings=yaml.safe_dump(settings, sort_keys=False), threads=threads)
        if changes := job.differences():
            raise InputError(f"{place} holds a run with other settings ({'; '.join(changes)}): name another folder")
        outcome = run(job)
        summary = job.summary()
        if outcome.error is not None or summary is None:
            raise InputError(f"{entry.path}: {label}, seed {seed} does not run: {outcome.error}")
        if summary["stand_in"] and not task.takes_synthetic_data:
            raise InputError(f"{entry.path}: the real data of {task.name} are not there: an entry is checked on them")
        yield Finding(label, seed, *verdict_on(claimed, run_as_data(summary, job.checkpoint)))


def verdict_on(claimed: dict[str, Any], found: dict[str, Any]) -> tuple[str, bool]:
    """What a run shows of what an entry has claimed of it, and whether the entry stands.

    Example:
        >>> run = {"testing_error_rate": 0.1, "attack_success_rate": None, "versions": {}, "machine": None}
        >>> verdict_on({**run, "state": "a"}, {**run, "state": "a"})
        ('the same, bit for bit', True)
    """
    same_rates = all(claimed[name] == found[name] for name in MEASURES)
    if claimed["state"] == found["state"] and same_rates:
        return "the same, bit for bit", True
    pairs = [(name, claimed[name], found[name]) for name in MEASURES if claimed[name] != found[name]]
    off = [f"{name} {now} for {then}" for name, then, now in pairs] or ["other parameters, the same rates"]
    others = [name for name in ("versions", "machine") if claimed[name] != found[name] or not claimed[name]]
    if claimed["state"] == found["state"]:
        return f"the same parameters, but {', '.join(off)}", False
    if not others:
        return f"not the same with the same versions and machine: {', '.join(off)}", False
    is_near = all(None not in (then, now) and abs(now - then) <= TOLERANCE for _, then, now in pairs)
    told = {"versions": "other versions", "machine": "another machine, or one unknown"}
    why = " and ".join(told[name] for name in others)
    return f"{', '.join(off)}: {'within' if is_near else 'beyond'} {TOLERANCE} on {why}", is_near
