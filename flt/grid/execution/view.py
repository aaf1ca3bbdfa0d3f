"""The view of a grid while it is run: a table whose cells fill up, and the time left."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from flt.grid.execution.job import Job
from flt.grid.plan.grid import Cell
from flt.grid.plan.naming import readable
from flt.grid.plan.outline import Outline
from flt.grid.results.rows import panel_title

SHORTEST = 2.0  # seconds over which a pace can be measured
TALLEST = 24  # rows of tables shown at once
LEGEND = "a cell's mean final testing error rate, until then its seeds: ● finished, % under way, ✗ failed, · waiting"


class GridView:
    """Shows how far each cell is; on anything but a terminal, a line for each run that ends.

    Args:
        outline: The grid's outline.
        jobs: The run of each cell.
        done: Which of them were finished before.
    """

    def __init__(self, outline: Outline, jobs: Mapping[Job, Cell], done: Mapping[Job, dict[str, Any]]) -> None:
        self.outline, self.jobs = outline, jobs
        self.summaries, self.errors = dict(done), dict[Job, str]()
        self._places: dict[tuple[str, ...], list[Job]] = {}
        for job, cell in jobs.items():
            self._places.setdefault(tuple(cell.labels.values()), []).append(job)
        self._wall_clock = time.time()
        self._first: tuple[float, float] | None = None  # when rounds of this start were first seen, and how many
        self._rounds_before = sum(job.rounds for job in done)
        self._console = Console()
        self._bar = Progress(
            TextColumn("{task.completed:,.0f} of {task.total:,} runs"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[left]}"),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=len(jobs), left="")
        # Rich's own refresh thread would read files in the midst of a change; see `refresh`.
        self._live = Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="visible")

    def __enter__(self) -> "GridView":
        if self._console.is_terminal:
            self._live.start()
            self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def ended(self, job: Job, error: str | None, seconds: float) -> None:
        """Notes that a run has ended."""
        summary = job.summary()
        if error is None and summary is not None:
            self.summaries[job] = summary
        else:
            self.errors[job] = error or "ended without a summary.json"
        if self._console.is_terminal:
            if job in self.errors:
                self._live.console.print(f"{self.jobs[job].describe()}: {self.errors[job]}", style="red", markup=False)
            self.refresh()
        else:
            count = len(self.summaries) + len(self.errors)
            what = self.errors.get(job) or f"{_rates(summary or {})} in {seconds:.1f} s"
            print(f"[{count}/{len(self.jobs)}] {self.jobs[job].describe()}: {what}", flush=True)

    def refresh(self) -> None:
        """Draws the present state of all cells."""
        if not self._console.is_terminal:
            return
        progress = {job: self._progress(job) for job in self.jobs}
        done = sum(progress.values())
        self._bar.update(self._task, completed=len(self.summaries) + len(self.errors), left=self._time_left(done))
        self._live.update(Group(*self._tables(progress), Text(LEGEND, style="dim"), self._bar), refresh=True)

    def _progress(self, job: Job) -> float:
        """Returns the number of rounds that a run has done."""
        if job in self.errors:
            return 0.0  # its rounds are not among those to come, either
        if job in self.summaries:
            return job.rounds
        return job.rounds_done() if self._is_running(job) else 0.0

    def _is_running(self, job: Job) -> bool:
        try:
            return job.log.stat().st_mtime >= self._wall_clock
        except FileNotFoundError:
            return False

    def _time_left(self, done: float) -> str:
        """Estimates the time that the other rounds take.

        The pace is measured from the moment when the first rounds were seen: the start of a process takes seconds.
        """
        now = time.monotonic()
        if self._first is None and done > self._rounds_before:
            self._first = now, done
        since, before = self._first or (now, done)
        if done <= before or now - since < SHORTEST:
            return ""
        rounds = sum(job.rounds for job in self.jobs if job not in self.errors)
        seconds = (now - since) * (rounds - done) / (done - before)
        minutes, hours = seconds / 60, seconds / 3600
        left = f"{hours:.1f} h" if hours >= 1 else f"{minutes:.0f} min" if minutes >= 1 else f"{seconds:.0f} s"
        return f"{left} left"

    def _tables(self, progress: Mapping[Job, float]) -> list[RenderableType]:
        """Makes the tables of the panels in which runs are under way, as many as have room."""
        outline, shown, height = self.outline, list[RenderableType](), 0
        tables = [(panel, self._table(panel, progress)) for panel in outline.panels]
        busy = [table for _, (table, is_busy) in tables if is_busy] or [table for _, (table, _) in tables[:1]]
        for table in busy:
            height += table.row_count + 4
            if shown and height > TALLEST:
                break
            shown.append(table)
        return shown

    def _table(self, panel: dict[str, str], progress: Mapping[Job, float]) -> tuple[Table, bool]:
        outline, is_busy = self.outline, False
        title = " · ".join(filter(None, (outline.title, panel_title(panel))))
        table = Table(title=escape(title), title_justify="left")
        table.add_column(escape(readable(outline.rows)), style="cyan", no_wrap=True)
        for label in outline.column_labels:
            table.add_column(escape(label or ""), no_wrap=True)
        for row in outline.axes[outline.rows]:
            texts = []
            for column in outline.column_labels:
                labels = outline.labels_at(panel, row, column)
                jobs = self._places.get(tuple(labels[column] for column in outline.axes), [])
                texts.append(self._text(jobs, progress))
                is_busy |= any(self._is_going_on(job) for job in jobs)
            table.add_row(escape(row), *texts)
        return table, is_busy

    def _is_going_on(self, job: Job) -> bool:
        return job not in self.summaries and job not in self.errors and self._is_running(job)

    def _text(self, jobs: Sequence[Job], progress: Mapping[Job, float]) -> Text:
        """Returns a cell's mean once all seeds are finished, until then a mark for each seed."""
        if not jobs:
            return Text("")
        if all(job in self.summaries for job in jobs):
            rates = [self.summaries[job]["testing_error_rate"] for job in jobs]
            known = [rate for rate in rates if rate is not None]
            return Text(f"{sum(known) / len(known):.3f}" if known else "-", style="green")
        text = Text()
        for job in jobs:
            if job in self.summaries:
                text.append("● ", style="green")
            elif job in self.errors:
                text.append("✗ ", style="bold red")
            elif self._is_running(job):
                text.append(f"{100 * progress[job] / job.rounds:.0f}% ", style="yellow")
            else:
                text.append("· ", style="dim")
        return text


def _rates(summary: Mapping[str, Any]) -> str:
    success = summary.get("attack_success_rate")
    rate = summary["testing_error_rate"]
    error = "no testing error" if rate is None else f"testing error {rate:.4f}"
    return error + ("" if success is None else f", attack success {success:.4f}")
