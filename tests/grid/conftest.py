"""A finished grid that the tests of this folder share."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from command_line import Finished, run, working_in
from grids import Here, write_grid

from flt.grid import Local


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    """Lets ``flt table`` run everything in this process."""
    launcher = Here()
    monkeypatch.setattr(Local, "outcomes", lambda self, jobs, at_once: launcher.outcomes(jobs, at_once))
    return launcher


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty working directory."""
    folder = tmp_path / "work"
    folder.mkdir()
    with working_in(folder, tmp_path):
        yield folder


@pytest.fixture
def out(place: Path, small: tuple[Path, Finished]) -> Path:
    """A copy of the finished grid, and the configuration that made it."""
    shutil.copytree(small[0], "out")
    write_grid()
    return Path("out")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """The results of ``flt table`` for a small grid of two attacks, two rules and two seeds, and what it said."""
    base = tmp_path_factory.mktemp("small")
    with working_in(base, base), patch.object(Local, "outcomes", lambda _, *given: Here().outcomes(*given)):
        ended = run("table", "--config", write_grid(), "--out", "out")
        assert ended.status == 0, ended.errors
        return base / "out", ended
