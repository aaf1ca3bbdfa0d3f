"""Small grids: how they are made, results without runs, and launchers in the tests' own process."""

import contextlib
import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from command_line import FLTRUST
from matplotlib.axes import Axes
from rich.console import Console

import flt.grid.plan
from flt.grid import Figure, Grid, Launcher, Outline
from flt.grid.execution.job import Job, Outcome, run
from flt.grid.execution.launchers import Ended
from flt.grid.results.markdown import as_rich
from flt.grid.results.rows import Row

PAPER = Path(flt.grid.plan.__file__).with_name("paper.csv")
FEW_ROUNDS: dict[str, Any] = {
    "data.stand_in": "always",
    "trainer": {"max_steps": 2, "val_check_interval": 1, "log_every_n_steps": 1},
}
ATTACKS = {"No attack": "NoAttack", "Scaling attack": "ScalingAttack"}
RULES = {"FedAvg": {"aggregation": "FedAvg"}, "FLTrust": {"aggregation": "FLTrust"}}
SMALL: dict[str, Any] = {
    "title": "Small",
    "base": FLTRUST,
    "axes": {"attack": ATTACKS, "rule": RULES},
    "seeds": [0, 1],
    "settings": FEW_ROUNDS,
    # As a file of somebody's own: the paper's numbers are not compared with those of a stand-in.
    "reference": {"where": {"table": "III", "data": "HAR"}, "file": str(PAPER)},
}

OWN_RULES = """
import os
import signal
import time
from pathlib import Path

from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, Round


class Mean(Aggregation):
    def aggregate(self, round: Round) -> Aggregate:
        self.before(round)
        return Aggregate(round.updates.mean(0))

    def before(self, round: Round) -> None:
        pass


class Dying(Mean):
    def before(self, round: Round) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Raising(Mean):
    def before(self, round: Round) -> None:
        if round.number == 1 and not Path("repaired").exists():
            raise RuntimeError("a mistake in\\n  somebody's own code")


class Refusing(Mean):
    def before(self, round: Round) -> None:
        raise InputError("own.factor=3 is too large")


class Ending(Mean):
    def before(self, round: Round) -> None:
        raise SystemExit(3)


class Waiting(Mean):
    '''In its third round, it waits for a file ``go``.'''

    def before(self, round: Round) -> None:
        if round.number == 2:
            Path("waiting").touch()
            while not Path("go").exists():
                time.sleep(0.02)
"""
"""A user's own module in the working directory, always under the same name and with the same content."""


def write_own_rules() -> None:
    """Makes the module ``own_rules`` in the working directory, where it can be imported from as for ``flt``."""
    Path("own_rules.py").write_text(OWN_RULES)
    sys.path.insert(0, "")


def write_grid(path: str = "grid.yaml", **changes: Any) -> str:
    """Writes the configuration of a small grid, with other keys than `SMALL`; None leaves one out."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def make_grid(axes: Any = None, **settings: Any) -> Grid:
    """A small grid without a reference."""
    given: dict[str, Any] = {"title": "Small", "base": FLTRUST, "settings": FEW_ROUNDS, **settings}
    return Grid(axes=axes or {"attack": ATTACKS, "rule": RULES}, **given)


class Here(Launcher):
    """Runs jobs in this process; ``stop_after`` so many it is interrupted as by Ctrl-C."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.ran: list[Job] = []

    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        for job in jobs:
            if len(self.ran) == self.stop_after:
                raise KeyboardInterrupt
            yield None
            self.ran.append(job)
            yield job, run(job)


class Nowhere(Launcher):
    """Notes jobs and runs none."""

    def __init__(self) -> None:
        self.noted: list[Job] = []
        self.at_once: int | None = None

    def outcomes(self, jobs: Sequence[Job], at_once: int | None) -> Iterator[Ended | None]:
        self.noted, self.at_once = list(jobs), at_once
        for job in jobs:
            yield job, Outcome("not run", 0.0)


def make_outline(
    axes: dict[str, list[str]] | None = None,
    *,
    seeds: Sequence[int] = (0, 1),
    rows: str | None = None,
    columns: str | None = None,
    tolerance: float | dict[str, float] = 0.03,
    source: str | None = None,
    figure: Figure | None = None,
) -> Outline:
    """An outline with the first axis as rows and the second as columns, unless told otherwise."""
    axes = axes or {"attack": ["No attack", "Scaling attack"], "rule": ["FedAvg", "FLTrust"]}
    rows = rows or next(iter(axes))
    others = [axis for axis in axes if axis != rows]
    return Outline("Small", axes, list(seeds), rows, columns or next(iter(others), None), tolerance, source, figure)


def make_row(
    labels: dict[str, str],
    error: float,
    success: float | None = None,
    *,
    seed: int = 0,
    published: tuple[float | None, float | None] | None = None,
) -> Row:
    """A row of ``table.csv``; ``published`` are the reference's error and attack success."""
    references = {} if published is None else dict(zip(REFERENCES, published, strict=True))
    rest = {"trust_score_benign": None, "trust_score_malicious": 0.25, "num_clients": 30, "num_malicious": 6}
    return {
        **labels,
        "seed": seed,
        "data_used": "HAR (stand-in)",
        **{"testing_error_rate": error, "attack_success_rate": success, **rest, "num_dropped": 0, "rounds": 1000},
        **references,
    }


REFERENCES = ("reference_testing_error_rate", "reference_attack_success_rate")


def body_of(text: str) -> list[list[str]]:
    """The words of each line of the one table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert re.fullmatch(r"\|(-+\|)+", lines[1])
    return [[word.strip() for word in re.split(r"(?<!\\)\|", line)[1:-1]] for line in [lines[0], *lines[2:]]]


def shown(outline: Outline, rows: list[Row], **console: Any) -> str:
    """What a terminal of 100 columns shows."""
    file = io.StringIO()
    terminal = Console(file=file, width=100, **console)
    for table in as_rich(outline, rows):
        terminal.print(table)
    return file.getvalue()


def texts(axis: Axes) -> dict[tuple[int, int], str]:
    """What is written into the cells, from above, by row and column."""
    written: dict[tuple[int, int], list[str]] = {}
    for text in axis.texts:
        x, y = text.get_position()
        row = min(range(len(axis.get_yticks())), key=lambda place: abs(axis.get_yticks()[place] - y))
        written.setdefault((row, round(x)), []).append(text.get_text())
    return {place: "\n".join(lines) for place, lines in written.items()}


@contextlib.contextmanager
def kept(*paths: Path) -> Iterator[None]:
    """No file below these folders is written meanwhile, nor made, nor removed."""
    before = _states(paths)
    yield
    assert _states(paths) == before


def _states(paths: Sequence[Path]) -> dict[str, tuple[int, int]]:
    files = [file for path in paths for file in path.rglob("*") if file.is_file()]
    return {str(file): (file.stat().st_mtime_ns, file.stat().st_size) for file in files}
