"""Entries from the runs of a grid: ``flt table --entry``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flt.errors import InputError
from flt.grid.execution.job import Job
from flt.grid.leaderboard.entry import FORMAT, Entry, code_of, paper_of, run_as_data
from flt.grid.leaderboard.task import Parts, Task, difference, short_name
from flt.grid.plan.grid import Cell
from flt.grid.plan.naming import slug
from flt.grid.report.tables import ATTACK, RULE


@dataclass
class Plan:
    """What is to become an entry.

    Attributes:
        before: The entry that is there, or one without attacks.
        attacks: The settings of each attack, and its runs by seed.
    """

    before: Entry
    attacks: dict[str, tuple[Any, dict[int, Job]]] = field(default_factory=dict)


class Additions:
    """Entries of a task that a grid makes: a file for its one rule, or one for each level of its axis of rules.

    Args:
        path: The entry, such as ``leaderboard/har-lr-30/krum.json``, or the folder of a task.

    Raises:
        InputError: If there is no task.
    """

    def __init__(self, path: Path) -> None:
        self.is_single = path.suffix == ".json"
        self.path, self.task = path, Task.read(path.parent if self.is_single else path)
        self.plans: dict[Path, Plan] = {}

    def check(self, runs: Mapping[Job, Cell]) -> None:
        """Finds out which runs make which entry.

        Raises:
            InputError: If they are not those of the task, or of the entry that is there.
        """
        for job, cell in runs.items():
            parts, where = Parts.of(job.settings), cell.describe()
            found = difference(self.task.rest, parts.rest, "settings")
            if found is not None:
                raise InputError(f"entry={self.path}: {where} is no run of the task {self.task.name}: {found}")
            plan = self._plan_of(cell, parts, where)
            label = self._label_of(plan, cell, parts, where)
            plan.attacks.setdefault(label, (parts.attack, {}))[1][cell.seed] = job
        for path, plan in self.plans.items():
            self._check_complete(path, plan)

    def write(self) -> tuple[dict[Path, Entry], list[str]]:
        """Writes the entries whose runs are finished.

        Returns:
            What was written, by its file, and which rules have none, and why.

        Raises:
            InputError: If a run has left no checkpoint.
        """
        written, left = dict[Path, Entry](), list[str]()
        for path, plan in self.plans.items():
            made: dict[str, Any] = {}
            for label, (settings, jobs) in plan.attacks.items():
                done = {job: summary for job in jobs.values() if (summary := job.summary()) is not None}
                if len(done) < len(jobs):
                    left.append(f"{plan.before.rule}: its runs are not finished")
                    break
                if any(summary["stand_in"] for summary in done.values()) and not self.task.takes_synthetic_data:
                    left.append(f"{plan.before.rule}: its runs are on synthetic data")
                    break
                runs = {str(seed): run_as_data(done[job], job.checkpoint) for seed, job in sorted(jobs.items())}
                made[label] = {"settings": settings, "runs": runs}
            else:
                written[path] = Entry(path, {**plan.before.content, "attacks": plan.before.attacks | made})
                written[path].write()
        return written, left

    def _plan_of(self, cell: Cell, parts: Parts, where: str) -> Plan:
        """The plan of a cell's rule."""
        if self.is_single == (RULE in cell.labels):
            raise InputError(
                f"entry={self.path} is one rule's, and the grid has an axis of rules: name the folder of the task"
                if self.is_single
                else f"entry={self.path} is a folder, and the grid has no axis called {RULE}: name a file, such as"
                f" {self.path / 'my_rule.json'}"
            )
        path = self.path if self.is_single else self.path / f"{slug(cell.labels[RULE])}.json"
        if path not in self.plans:
            self.plans[path] = Plan(
                Entry.read(path) if path.exists() else self._empty(path, cell.labels.get(RULE, path.stem), parts.rule)
            )
        plan = self.plans[path]
        found = difference(plan.before.content["settings"], parts.rule, "aggregation")
        if found is not None:
            raise InputError(f"entry={path} has other settings than {where}: {found}; give it another name")
        return plan

    def _empty(self, path: Path, rule: str, settings: Mapping[str, Any]) -> Entry:
        kind = settings["class_path"]
        about = {"format": FORMAT, "task": self.task.name, "rule": rule, "paper": paper_of(kind), "code": code_of(kind)}
        return Entry(path, {**about, "settings": settings, "attacks": {}})

    def _label_of(self, plan: Plan, cell: Cell, parts: Parts, where: str) -> str:
        """What the entry calls a cell's attack: as the task does, or as the cell where it is a further one."""
        for label, settings in self.task.attacks.items():
            if difference(settings, parts.attack, ATTACK) is None:
                return label
        label = cell.labels.get(ATTACK, short_name(parts.attack))
        refusal = self.task.refuses(label, parts.attack)
        if refusal is not None:
            raise InputError(f"entry={self.path}: {where}: {refusal}")
        known = plan.before.attacks.get(label)
        found = None if known is None else difference(known["settings"], parts.attack, ATTACK)
        if found is not None:
            raise InputError(f"entry={plan.before.path} has another {label} ({found}): give it another label")
        return label

    def _check_complete(self, path: Path, plan: Plan) -> None:
        """Raises an `InputError` unless all of the task's attacks and seeds are there, or will be."""
        missing = self.task.attacks.keys() - plan.before.attacks.keys() - plan.attacks.keys()
        if missing:
            raise InputError(f"entry={path}: the task has more attacks, {', '.join(sorted(missing))}: run them, too")
        for label, (_, jobs) in plan.attacks.items():
            if {*jobs} != {*self.task.grid.seeds}:
                raise InputError(
                    f"entry={path}: {label} has the seeds {sorted(jobs)}, the task {self.task.grid.seeds}: run these"
                )
