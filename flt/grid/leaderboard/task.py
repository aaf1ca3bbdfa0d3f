"""A task: a grid whose one axis is the attack. Every rule is run on it with the same settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from flt.errors import InputError
from flt.grid.execution.job import Job
from flt.grid.execution.run import jobs_of
from flt.grid.plan.grid import Grid
from flt.grid.plan.reading import read_grid
from flt.grid.report.arguments import defaults_of
from flt.grid.report.tables import ATTACK
from flt.runs.differences import deciding, differences

FILE = "task.yaml"


@dataclass(frozen=True)
class Parts:
    """The settings that decide a run, apart from each other.

    Attributes:
        rule: Of the aggregation rule.
        attack: Of the attack.
        rest: All others, without seed and folders.
    """

    rule: Any
    attack: Any
    rest: dict[str, Any]

    @classmethod
    def of(cls, text: str) -> "Parts":
        """Those in a run's configuration, in YAML."""
        rest = deciding(yaml.safe_load(text))
        return cls(rest.pop("aggregation", None), rest.pop("attack", None), rest)


@dataclass(frozen=True)
class Task:
    """A folder of the leaderboard: its ``task.yaml``, beside which its entries lie.

    Attributes:
        folder: The folder.
        grid: What each rule is run on.
    """

    folder: Path
    grid: Grid

    @classmethod
    def read(cls, folder: Path) -> "Task":
        """The task of a folder.

        Raises:
            InputError: If the folder holds none.
        """
        path = folder / FILE
        if not path.is_file():
            raise InputError(f"{str(folder)!r} holds no {FILE}: name a task of the leaderboard, such as har-lr-30")
        grid = read_grid(path)
        if [axis.column for axis in grid.axes] != [ATTACK] or grid.exclude:
            raise InputError(f"{path}: the axis of a task is attack, and nothing else, with no cell left out")
        return cls(folder, grid)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.absolute().name

    @cached_property
    def takes_synthetic_data(self) -> bool:
        """Whether its runs are on synthetic data whatever there is, as those of a test are."""
        return bool((self.rest["data"].get("init_args") or {}).get("stand_in") == "always")

    @cached_property
    def attacks(self) -> dict[str, Any]:
        """The settings of each attack, by its label."""
        return {label: parts.attack for label, parts in self._parts.items()}

    def refuses(self, label: str, settings: Mapping[str, Any]) -> str | None:
        """Why an attack of this label cannot be one on this task; None if it can."""
        if label in self.attacks:
            found = difference(self.attacks[label], settings, ATTACK)
            return None if found is None else f"it is not the task's {label} ({found}): give it another label"
        fraction, allowed = _fraction(settings), {_fraction(attack) for attack in self.attacks.values()} - {None}
        if fraction is None or fraction in allowed:
            return None
        return f"attack.fraction={fraction} is not the task's {', '.join(map(str, allowed)) or 'null'}: leave it out"

    @cached_property
    def rest(self) -> dict[str, Any]:
        """The settings of all runs but for rule and attack.

        Raises:
            InputError: If attacks differ in other settings.
        """
        first, *others = (parts.rest for parts in self._parts.values())
        for other in others:
            for found in differences(first, other):
                raise InputError(f"{self.folder / FILE}: attacks differ in {found.setting}: give it to all of them")
        return first

    @cached_property
    def jobs(self) -> dict[str, dict[int, Job]]:
        """Its runs by the attack's label and the seed, with the rule that its configuration has; none is made."""
        found: dict[str, dict[int, Job]] = {}
        for job, cell in jobs_of(self.grid, self.folder).items():
            found.setdefault(cell.labels[ATTACK], {})[cell.seed] = job
        return found

    @cached_property
    def _parts(self) -> dict[str, Parts]:
        """The settings of each attack's runs, of which seeds change nothing."""
        return {label: Parts.of(jobs[self.grid.seeds[0]].settings) for label, jobs in self.jobs.items()}


def _fraction(settings: Mapping[str, Any]) -> Any:
    """The fraction of malicious clients that an attack's settings name; of several attacks at once it is their sum."""
    named = settings.get("init_args") or {}
    groups = [defaults_of(each["class_path"]) | (each.get("init_args") or {}) for each in named.get("attacks") or ()]
    return round(sum(each.get("fraction") or 0.0 for each in groups), 9) if groups else named.get("fraction")


def difference(first: Any, second: Any, what: str) -> str | None:
    """Where two settings that both have differ, in words; None if they agree.

    Example:
        >>> difference({"f": 1}, {"f": 2}, "aggregation")
        'aggregation.f was 1, is 2'
    """
    found = next(differences({what: first}, {what: second}), None)
    return None if found is None else found.change


def short_name(settings: Mapping[str, Any]) -> str:
    """The last name of the class that settings name."""
    return str(settings["class_path"]).rpartition(".")[2]
