"""What is left of runs that are refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flt.errors import InputError
from flt.grid.plan.naming import CELLS


@contextmanager
def nothing_left_of_refused_runs(folder: Path) -> Iterator[None]:
    """Where runs are refused before the first begins, leaves their folder as if nothing had been asked for."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    before = set() if made else {*folder.iterdir()}
    try:
        yield
    except InputError:
        if folder.exists() and not (folder / CELLS).exists():
            for path in [path for path in folder.iterdir() if path not in before]:
                path.rmdir() if path.is_dir() else path.unlink()
            for each in made:
                each.rmdir()
        raise
