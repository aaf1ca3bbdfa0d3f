"""``flt fit --attack Worst``: one run for each attack of a set, as a grid of its own."""

from itertools import count
from pathlib import Path
from typing import Any

import yaml

from callbacks.attacks.worst import Worst, is_worst
from flt.cli.exit_status import ending
from flt.cli.settings import Request
from flt.errors import InputError
from flt.files import write_atomically
from flt.grid.commands import report
from flt.grid.execution.refusal import nothing_left_of_refused_runs
from flt.grid.execution.run import run_grid
from flt.grid.plan.grid import Grid
from flt.runs.differences import OWN, differences
from flt.runs.landing import place_of

CONFIG = "config.yaml"
SAME = {"attack.init_args.jobs", *(f"trainer.{name}" for name in OWN)}
"""Settings in which the same set of runs may differ: they decide where and how it is run."""


def run_worst(request: Request) -> int | None:
    """Runs each attack of the set that the settings of ``flt fit`` name, and shows the worst and the runner-up.

    The folder of these runs lies where that of one run would; the same command, and ``--resume``, go on there.

    Args:
        request: The settings.

    Returns:
        The exit status, 1 if a run failed; None, and nothing is done, where the settings name one attack.

    Raises:
        InputError: If there is no place for the runs, or a setting of the attack is wrong.
        Stopped: If it was interrupted.
    """
    settings = request.settings
    if not is_worst(settings.attack.class_path):
        return None
    given = settings.attack.init_args.as_dict()
    worst = Worst(**given)
    folder = request.earlier.folder if request.earlier else _folder_for(request)
    if not _is_for(folder, request):
        raise InputError(f"{folder} holds runs with other settings: leave them as they were, or name another folder")
    try:
        with nothing_left_of_refused_runs(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / CONFIG, request.parser.written(settings))
            grid = Grid(
                title=f"{settings.aggregation.class_path.rpartition('.')[2]} under {len(worst.attacks)} attacks",
                base=folder / CONFIG,
                axes={"attack": {"Worst": {"attack": {"class_path": "callbacks.Worst", "init_args": given}}}},
                seeds=[settings.seed_everything],
                worst="attack",
            )
            return report(run_grid(grid, folder, jobs=worst.jobs), folder)
    except KeyboardInterrupt as interrupt:
        raise ending(interrupt, "; the same command goes on from here") or interrupt from interrupt


def _folder_for(request: Request) -> Path:
    """The folder of the same runs, which may have been stopped; else the next one that is free.

    Raises:
        InputError: If the settings leave no place for it.
    """
    settings = request.settings
    if settings.trainer.fast_dev_run:
        raise InputError("trainer.fast_dev_run leaves no results that attack=Worst could compare: leave it out")
    found = place_of(settings.trainer.logger)
    if found is None:
        raise InputError("attack=Worst needs a folder for its runs: let the first of trainer.logger be a CSVLogger")
    place, name = found
    if name is not None:
        return place / name
    return next(folder for number in count() if _is_for(folder := place / f"worst_{number}", request))


def _is_for(folder: Path, request: Request) -> bool:
    """Whether a folder is free, or holds runs of these settings."""
    if not folder.exists():
        return True
    try:
        there: Any = yaml.safe_load((folder / CONFIG).read_text())
    except (OSError, yaml.YAMLError, ValueError):
        return False
    return isinstance(there, dict) and not {each.setting for each in differences(there, request.plain)} - SAME
