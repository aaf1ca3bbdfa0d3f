"""An entry: what a rule was measured to do on a task, in one JSON file that anyone can check."""

import hashlib
import inspect
import json
import pydoc
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.plan.naming import MEASURES
from flt.grid.report.arguments import OWN
from flt.runs.checkpoints import REMOVE, read_checkpoint

FORMAT = 1


class Rate(NamedTuple):
    """A mean over the seeds.

    Attributes:
        attack: Whose label.
        measure: What was measured.
        mean: Its mean.
    """

    attack: str
    measure: str
    mean: float


@dataclass(frozen=True)
class Entry:
    """An entry.

    Attributes:
        path: Its file.
        content: What the file holds, as ``entry.schema.json`` describes it.
    """

    path: Path
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Entry":
        """The entry in a file.

        Raises:
            InputError: If it holds none.
        """
        try:
            content = json.loads(path.read_text("utf-8"), parse_constant=_no_number)
        except FileNotFoundError as error:
            raise InputError(f"{path}: there is no such file; name an entry of the leaderboard") from error
        except IsADirectoryError as error:
            raise InputError(f"{path} is a folder: name entries in it, as {path}/*.json does") from error
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path} is no entry of the leaderboard: {error}") from error
        found = next(iter(_schema().iter_errors(content)), None)
        if found is not None:
            place = found.json_path.removeprefix("$").removeprefix(".") or "it"
            raise InputError(f"{path} is no entry of the leaderboard: {place}: {found.message[:200]}")
        return cls(path, content)

    def write(self) -> None:
        """Writes the file."""
        text = json.dumps(self.content, indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(self.path, text + "\n")

    @property
    def rule(self) -> str:
        """What the rule is called."""
        return str(self.content["rule"])

    @property
    def attacks(self) -> dict[str, dict[str, Any]]:
        """The settings and the runs of each attack, by its label."""
        found: dict[str, dict[str, Any]] = self.content["attacks"]
        return found

    def worst_of_attacks(self) -> list[Rate]:
        """The larger of each attack's rates, a mean over the seeds; the largest first, by which entries are ranked."""
        found = []
        for attack, known in self.attacks.items():
            runs = known["runs"].values()
            values = {name: [run[name] for run in runs if run[name] is not None] for name in MEASURES}
            rates = [Rate(attack, name, statistics.fmean(numbers)) for name, numbers in values.items() if numbers]
            found.append(max(rates, key=lambda rate: rate.mean))
        return sorted(found, key=lambda rate: -rate.mean)

    @property
    def worst(self) -> Rate:
        """By what it is ranked."""
        return self.worst_of_attacks()[0]


@cache
def _schema() -> Any:
    from jsonschema import Draft202012Validator  # here, as reading grids does without

    text = resources.files("flt.grid.leaderboard").joinpath("entry.schema.json").read_text("utf-8")
    return Draft202012Validator(json.loads(text))


def run_as_data(summary: Mapping[str, Any], checkpoint: Path) -> dict[str, Any]:
    """What an entry has of a finished run.

    Args:
        summary: The run's ``summary.json``.
        checkpoint: Its last checkpoint.

    Raises:
        InputError: If there is no checkpoint, or a damaged one.
    """
    return {
        **{name: summary[name] for name in MEASURES},
        "seconds": summary.get("seconds"),
        "state": state_of(checkpoint),
        "versions": summary.get("versions") or {},
        "machine": summary.get("machine"),
    }


def state_of(checkpoint: Path) -> str:
    """SHA-256 of a model's tensors: the name, type, shape and bytes of each, in the order of names.

    Raises:
        InputError: If there is no checkpoint, or a damaged one.
    """
    state, digest = read_checkpoint(checkpoint, str(checkpoint), REMOVE, training=False)["state_dict"], hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def paper_of(path: str) -> str | None:
    """Where the class of this name says that it comes from, in the ``Reference:`` of its docstring.

    Example:
        >>> paper_of("callbacks.FLTrust")[:18]
        'Cao et al., FLTrus'
    """
    found = section(pydoc.locate(path), "Reference")
    return found or None


def section(kind: Any, title: str) -> str:
    """The text of a docstring's section, its lines joined; nothing if there is none."""
    found = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", inspect.getdoc(kind) or "", re.MULTILINE)
    return " ".join(found.group(1).split()) if found else ""


def code_of(path: str) -> str | None:
    """Where the code of a class of this project is; None for another's, whose author has to say so."""
    return path if path.startswith(OWN) else None


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")
