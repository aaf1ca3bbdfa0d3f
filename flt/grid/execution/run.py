"""Running a grid: every cell that is not finished, and then its tables and figures."""

import multiprocessing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from jsonargparse import Namespace

from flt.cli.parser import FederatedArgumentParser
from flt.display.figure_style import USUAL, FigureStyle
from flt.errors import InputError, check_count
from flt.files import write_atomically
from flt.grid.execution.job import Job
from flt.grid.execution.launchers import Launcher, Local
from flt.grid.execution.view import GridView
from flt.grid.plan.grid import Cell, Grid, arguments_of
from flt.grid.plan.naming import NAMES, run_folder
from flt.grid.plan.reference import Published, published
from flt.grid.results.results import Results
from flt.grid.results.rows import KEPT, row_of, with_measure
from flt.runs.measures import MEAN_OF_LAST, Rows
from flt.runs.reading import metrics_of


def run_grid(
    grid: Grid,
    out: Path | str,
    *,
    jobs: int | None = None,
    launcher: Launcher | None = None,
    style: FigureStyle = USUAL,
    watch: Callable[[Results], object] = lambda results: None,
    check: Callable[[Mapping[Job, Cell]], object] | None = None,
) -> Results:
    """Runs every cell of a grid that is not finished, and writes its tables and figures.

    ``out`` receives ``table.csv`` (a row for each cell and seed), ``table.md``, ``table.tex``, ``table.png``,
    ``grid.yaml``, and in ``cells/LEVELS/seed_N`` what a run of ``flt fit`` leaves; a run that was interrupted goes on
    from its checkpoint.

    Args:
        grid: The grid.
        out: The folder of its results.
        jobs: Most runs at a time; None is one, or as many as the launcher's place takes.
        launcher: Where to run; None is processes on this machine.
        style: How its figures look, and in which formats they are.
        watch: Is given what there is at the start, after each run, and at the end.
        check: Is given the runs before any work, and may refuse them; None for nothing.

    Raises:
        InputError: If settings of a cell are refused, or if ``out`` holds runs with other settings; before any work.
    """
    # A process that is being started reads the script that starts it, and would run the grid once more.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError('run_grid: put the call under `if __name__ == "__main__":`, as each process reads the script')
    check_count("jobs", jobs)
    if grid.outline.figure is not None:
        from flt.grid.results.pictures.figures import check_figure  # here, as it needs matplotlib

        check_figure(grid.outline, grid.outline.figure)
        _warn_of_own("figure.y", grid.outline.figure.y)
    _warn_of_own("measures", grid.outline.measures)
    labels = [axis.column for axis in grid.axes]
    expected = published(grid.reference, grid.shown, grid.outline.worst)
    _warn_of_another(expected, grid)
    folder = Path(out).expanduser().absolute()
    runs = jobs_of(grid, folder)
    _check_earlier(runs)
    if check is not None:
        check(runs)
    histories = dict[Job, Rows]()
    if grid.outline.measure != "last":  # a damaged one is told before work starts
        _read_histories(histories, [job for job in runs if job.summary() is not None])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            write_atomically(folder / "grid.yaml", grid.outline.as_yaml())
            done = {job: summary for job in runs if (summary := job.summary()) is not None}
            view = GridView(grid.outline, runs, done)

            def results() -> Results:
                summaries = view.summaries
                finished = {job: cell for job, cell in runs.items() if job in summaries}
                rows = [row_of(cell, summaries[job], expected) for job, cell in finished.items()]
                if grid.outline.measure != "last":
                    _read_histories(histories, finished)
                    rows = with_measure(grid.outline.measure, rows, [histories[job] for job in finished], labels)
                failures = {runs[job].describe(): error for job, error in view.errors.items()}
                return Results(folder, grid.outline, rows, failures, len(runs) - len(rows) - len(failures))

            watch(results())
            try:
                with view:
                    for _ in _run(view, launcher or Local(), [job for job in runs if job not in done], jobs):
                        present = results()
                        present.write_tables()
                        watch(present)
            finally:  # an interrupted grid has the tables and figures of its finished runs, too
                present = results()
                present.write(style)
                watch(present)
    except Timeout as error:
        raise InputError(
            f"out={out}: another flt table is at work there; wait for it or choose another folder"
        ) from error
    return present


def _read_histories(known: dict[Job, Rows], jobs: Iterable[Job]) -> None:
    """Adds the logged metrics of runs that are not known yet."""
    known |= {job: metrics_of(job.folder) for job in jobs if job not in known}


def _run(view: GridView, launcher: Launcher, left: Sequence[Job], at_once: int | None) -> Iterator[Job]:
    """Runs jobs and shows how far they are.

    Yields:
        Each job when it has ended.
    """
    if not left:
        return
    with closing(launcher.outcomes(left, at_once)) as outcomes:  # type: ignore[type-var]  # generators all
        for ended in outcomes:
            if ended is None:
                view.refresh()
            else:
                job, outcome = ended
                view.ended(job, outcome.error, outcome.seconds)
                yield job


def _warn_of_another(expected: Published, grid: Grid) -> None:
    """Warns of a reference that is one of another grid."""
    if expected.columns and not any(expected.of(cell.labels) for cell in grid.cells):
        known, own = (" · ".join(labels) for labels in (next(iter(expected.values)), grid.cells[0].labels.values()))
        warnings.warn(
            f"reference: it has nothing of any cell of this grid; its first row is of {known}, the grid's first cell is"
            f" {own}",
            stacklevel=3,
        )


def _warn_of_own(setting: str, metrics: Sequence[str] | None) -> None:
    """Warns of metrics that no run logs by itself: they are a user's own, or misspelt."""
    for name in metrics or []:
        if name not in NAMES and name not in KEPT and "/" not in name:
            warnings.warn(f"{setting}={name} is shown only if the runs log a metric of that name", stacklevel=3)


def jobs_of(grid: Grid, folder: Path) -> dict[Job, Cell]:
    """The run of each cell of a grid, whose results go to a folder, with all of its settings read and checked.

    Raises:
        InputError: If settings of a cell are refused.
    """
    from flt.cli.settings import make_parser  # here, as it needs torch and Lightning

    parser, jobs, known = make_parser("fit"), dict[Job, Cell](), dict[str, Namespace]()
    for cell in grid.cells:
        if cell.name not in known:  # once for all seeds
            known[cell.name] = _settings(parser, grid, cell)
        settings = known[cell.name].clone()
        settings.seed_everything = cell.seed
        place = run_folder(folder, cell.name, cell.seed)
        settings.trainer.logger = [csv_logger(place), *_wandb_loggers(settings, grid, cell, place)]
        settings.trainer.enable_progress_bar = False  # what a run prints goes to a file
        jobs[Job(place, parser.written(settings), settings.trainer.max_steps, Path.cwd())] = cell
    return jobs


def _settings(parser: FederatedArgumentParser, grid: Grid, cell: Cell) -> Namespace:
    from callbacks.attacks.worst import is_worst
    from flt.cli.settings import read

    try:
        settings = read("fit", arguments_of(grid, cell), parser).settings
    except InputError as error:
        raise InputError(f"{cell.describe()}: {error}") from error
    if is_worst(settings.attack.class_path):
        raise InputError(f"{cell.describe()}: attack=Worst is several attacks: give them an axis, attack: [Worst]")
    _check_evaluations(settings, grid, cell)
    if settings.ckpt_path is not None:
        raise InputError(
            f"{cell.describe()}: ckpt_path={settings.ckpt_path}: the runs of a grid start from the beginning"
        )
    return settings


def _check_evaluations(settings: Namespace, grid: Grid, cell: Cell) -> None:
    """Raises an `InputError` if a run is not evaluated as often, or on the examples, as the measure takes."""
    measure, trainer = grid.outline.measure, settings.trainer
    select = grid.outline.select
    needs = {"measure=best_on_validation": measure == "best_on_validation"}
    needs["select.on=validation"] = select is not None and select.on == "validation"
    for setting, is_asked_for in needs.items():
        if is_asked_for and not settings.get("data.init_args.validation_fraction"):
            raise InputError(f"{cell.describe()}: {setting} needs validation examples: set data.validation_fraction")
    if isinstance(measure, dict):
        interval = trainer.val_check_interval
        each = interval if isinstance(interval, int) else trainer.max_steps  # Lightning's 1.0 is once a run
        if measure[MEAN_OF_LAST] > -(-trainer.max_steps // each):
            raise InputError(
                f"{cell.describe()}: measure={measure}: the run has {-(-trainer.max_steps // each)} evaluations, of"
                f" which a mean takes no more: lower it, or trainer.val_check_interval={interval}"
            )


def csv_logger(place: Path) -> dict[str, Any]:
    """The settings of the logger whose files lie in a run's folder."""
    where = {"save_dir": str(place.parent.parent), "name": place.parent.name, "version": place.name}
    return {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": where}


def _wandb_loggers(settings: Namespace, grid: Grid, cell: Cell, place: Path) -> list[Namespace]:
    """The W&B loggers among a run's, which make one group of the grid and leave their files in one folder."""
    given = settings.trainer.logger
    loggers = [logger for logger in (given if isinstance(given, list) else [given]) if isinstance(logger, Namespace)]
    found = [logger for logger in loggers if logger.class_path.endswith("WandbLogger")]
    for logger in found:
        logger.init_args.save_dir = str(place.parents[2])
        logger.init_args.name = cell.describe()
        logger.init_args.group, logger.init_args.job_type = grid.outline.title, "table"
    return found


def _check_earlier(runs: Mapping[Job, Cell]) -> None:
    """Raises an `InputError` if the folder holds runs with other settings: the table would mix them with the grid's."""
    for job, cell in runs.items():
        differences = job.differences()
        if differences:
            raise InputError(
                f"{job.folder} holds a run of {cell.describe()} with other settings ({'; '.join(differences[:3])}):"
                " choose another folder with --out, or remove that one"
            )
