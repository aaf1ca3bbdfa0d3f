"""What people see while a grid is run."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from grids import make_outline
from rich.console import Console

from flt.grid import Outline
from flt.grid.execution import view
from flt.grid.execution.job import Job
from flt.grid.execution.view import LEGEND, TALLEST, GridView
from flt.grid.plan.grid import Cell

LEVELS = {"attack": ["No attack", "Trim"], "rule": ["FedAvg", "Krum"]}
ROUNDS = 200


class Clock:
    """The time, which goes on when told to."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(view, "time", SimpleNamespace(time=clock, monotonic=clock))
    return clock


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 100 columns."""
    file = io.StringIO()
    monkeypatch.setattr(
        view, "Console", lambda: Console(file=file, force_terminal=True, width=100, height=60, color_system=None)
    )
    return file


def jobs_of(outline: Outline, folder: Path) -> dict[Job, Cell]:
    """A job for each cell and seed, in the outline's order."""
    jobs = {}
    for panel in outline.panels:
        for row in outline.axes[outline.rows]:
            for column in outline.column_labels:
                labels = outline.labels_at(panel, row, column)
                ordered = {axis: labels[axis] for axis in outline.axes}
                for seed in outline.seeds:
                    cell = Cell(ordered, seed, {})
                    jobs[Job(folder / cell.name / f"seed_{seed}", "", ROUNDS, folder)] = cell
    return jobs


def begin(job: Job, rounds: int, clock: Clock) -> None:
    """Leaves what a run that goes on has left."""
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "metrics.csv").write_text(f"round\n{rounds}\n")
    job.log.touch()
    os.utime(job.log, (clock.now, clock.now))


def finish(job: Job, error: float, success: float | None = None) -> None:
    """Leaves what a finished run has left."""
    job.folder.mkdir(parents=True, exist_ok=True)
    rates = {"testing_error_rate": error, "attack_success_rate": success}
    trust = dict.fromkeys(("trust_score_benign", "trust_score_malicious"))
    counts = dict.fromkeys(("num_clients", "num_malicious", "num_dropped", "seed"), 0)
    names = {"data": "HAR", "stand_in": False, "aggregation": "FedAvg", "attack": "NoAttack"}
    (job.folder / "summary.json").write_text(json.dumps({**names, **rates, **trust, **counts, "rounds": ROUNDS}))


def lines_of(text: str) -> list[list[str]]:
    """The words of each line."""
    return [line.split() for line in text.splitlines() if line.split()]


Frame = Callable[[GridView], str]


@pytest.fixture
def frame(screen: io.StringIO) -> Frame:
    """What is drawn next."""

    def draw(shown: GridView) -> str:
        start = len(screen.getvalue())
        shown.refresh()
        return screen.getvalue()[start:]

    return draw


def row(text: str, name: str) -> str:
    """What stands behind a row's name."""
    (found,) = [line.split("│") for line in text.splitlines() if name in line]
    return " | ".join(" ".join(cell.split()) for cell in found[2:-1])


def test_cells_fill_up(tmp_path: Path, clock: Clock, frame: Frame) -> None:
    outline = make_outline(LEVELS)
    jobs = jobs_of(outline, tmp_path)
    first, second, third, *_ = jobs
    with GridView(outline, jobs, {}) as shown:
        text = frame(shown)
        assert row(text, "No attack") == "· · | · ·"
        assert row(text, "Trim") == "· · | · ·"
        assert "0 of 8 runs" in text
        assert " ".join(LEGEND.split()) in " ".join(text.split())
        clock.now += 1
        begin(first, 30, clock)
        assert row(frame(shown), "No attack") == "15% · | · ·"
        finish(first, 0.25)
        shown.ended(first, None, 2.5)
        begin(second, ROUNDS // 2, clock)
        text = frame(shown)
        assert row(text, "No attack") == "● 50% | · ·"
        assert "1 of 8 runs" in text
        finish(second, 0.5)
        shown.ended(second, None, 2.5)
        shown.ended(third, "it broke", 0.5)
        text = frame(shown)
        assert row(text, "No attack") == "0.375 | ✗ ·"
        assert "3 of 8 runs" in text
    assert shown.summaries[first]["testing_error_rate"] == 0.25
    assert list(shown.summaries) == [first, second]
    assert shown.errors == {third: "it broke"}


def test_what_an_earlier_start_finished_counts_and_what_it_left_is_not_running(
    tmp_path: Path, clock: Clock, frame: Frame
) -> None:
    outline = make_outline(LEVELS, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    first, second, *_ = jobs
    finish(first, 0.125)
    begin(second, 100, clock)
    clock.now += 1
    with GridView(outline, jobs, {first: first.summary() or {}}) as shown:
        text = frame(shown)
        assert row(text, "No attack") == "0.125 | ·"
        assert "1 of 4 runs" in text


def test_a_run_without_a_summary_has_failed(tmp_path: Path, clock: Clock, screen: io.StringIO) -> None:
    outline = make_outline(LEVELS, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    first = next(iter(jobs))
    with GridView(outline, jobs, {}) as shown:
        shown.ended(first, None, 1.0)
    assert shown.errors == {first: "ended without a summary.json"}
    assert "No attack · FedAvg · seed 0: ended without a summary.json" in screen.getvalue()


@pytest.mark.parametrize(
    ("elapsed", "done", "left"),
    [
        (1, 100, None),  # too soon to say
        (10, 0, None),  # nothing to go by
        (5, 80, "44 s left"),
        (10, 180, "33 s left"),
        (60, 100, "7 min left"),
        (3600, 100, "6.8 h left"),
    ],
)
def test_time_left(tmp_path: Path, clock: Clock, frame: Frame, elapsed: float, done: int, left: str | None) -> None:
    """At the pace since the first rounds were seen; the minutes until then say nothing of the pace."""
    outline = make_outline(LEVELS, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    with GridView(outline, jobs, {}) as shown:
        clock.now += 300
        begin(next(iter(jobs)), 20, clock)
        assert "left" not in frame(shown)
        clock.now += elapsed
        begin(next(iter(jobs)), 20 + done, clock)
        text = frame(shown)
    assert left in text if left else "left" not in text


def test_rounds_done_before_or_by_a_run_that_failed_are_neither_done_nor_to_come(
    tmp_path: Path, clock: Clock, frame: Frame
) -> None:
    outline = make_outline(LEVELS, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    first, second, third, _ = jobs
    finish(first, 0.5)
    with GridView(outline, jobs, {first: first.summary() or {}}) as shown:
        begin(second, 10, clock)
        frame(shown)
        shown.ended(third, "it broke", 0.5)
        clock.now += 10
        begin(second, 110, clock)
        assert "29 s left" in frame(shown)  # 100 rounds in 10 s, and 290 are left


def test_only_panels_where_something_is_going_on(tmp_path: Path, clock: Clock, frame: Frame) -> None:
    levels = {**LEVELS, "q": ["0.1", "0.5", "0.9"]}
    outline = make_outline(levels, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    with GridView(outline, jobs, {}) as shown:
        assert "Small · q: 0.1" in frame(shown)
        clock.now += 1
        begin(next(job for job, cell in jobs.items() if cell.labels["q"] == "0.5"), 20, clock)
        text = frame(shown)
    assert "Small · q: 0.5" in text
    assert "Small · q: 0.1" not in text
    assert row(text, "No attack") == "10% | ·"


def test_no_more_than_fits(tmp_path: Path, clock: Clock, frame: Frame) -> None:
    levels = {**LEVELS, "q": [f"{number}" for number in range(20)]}
    outline = make_outline(levels, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    with GridView(outline, jobs, {}) as shown:
        clock.now += 1
        for job in jobs:
            begin(job, 20, clock)
        text = frame(shown)
    assert 1 < text.count("Small · ") <= TALLEST // 6


def test_cells_left_out_are_empty(tmp_path: Path, clock: Clock, frame: Frame) -> None:
    outline = make_outline(LEVELS, seeds=[0])
    jobs = {job: cell for job, cell in jobs_of(outline, tmp_path).items() if cell.labels["rule"] != "Krum"}
    with GridView(outline, jobs, {}) as shown:
        assert row(frame(shown), "Trim") == "· | "


def test_labels_may_have_brackets(tmp_path: Path, clock: Clock, frame: Frame) -> None:
    outline = make_outline({"[x]": ["[/]"], "rule": ["[bold]"]}, seeds=[0])
    with GridView(outline, jobs_of(outline, tmp_path), {}) as shown:
        text = frame(shown)
    assert all(word in text for word in ("[x]", "[/]", "[bold]"))


def test_a_line_for_each_run_where_there_is_no_terminal(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    outline = make_outline(LEVELS, seeds=[0])
    jobs = jobs_of(outline, tmp_path)
    before, first, second, third = jobs
    finish(before, 0.5)
    with GridView(outline, jobs, {before: before.summary() or {}}) as shown:
        shown.refresh()
        finish(first, 0.25)
        shown.ended(first, None, 12.34)
        finish(second, 0.125, 1.0)
        shown.ended(second, None, 0.5)
        shown.refresh()
        shown.ended(third, "it broke", 0.5)
    assert capsys.readouterr().out.splitlines() == [
        "[2/4] No attack · Krum · seed 0: testing error 0.2500 in 12.3 s",
        "[3/4] Trim · FedAvg · seed 0: testing error 0.1250, attack success 1.0000 in 0.5 s",
        "[4/4] Trim · Krum · seed 0: it broke",
    ]
