"""A run never lands in a folder that holds one: its settings are run anew beside it, others are refused."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import FLTRUST, SMALL, expected_warnings, files_in, run, same_parameters, working_in
from jsonargparse import Namespace

from flt.runs.landing import apart, occupied

pytestmark = expected_warnings

CELL = Path("results/cells/x/seed_0")
LOGGER = {"class_path": "CSVLogger", "init_args": {"save_dir": "results/cells", "name": "x", "version": "seed_0"}}
AGAIN = ("fit", "--config", str(CELL / "config.yaml"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a finished run in a folder that has a name, as a grid makes it."""
    folder = tmp_path_factory.mktemp("landing") / "work"
    folder.mkdir()
    with working_in(folder, folder.parent):
        assert run("fit", "--config", FLTRUST, *SMALL, f"--trainer.logger=[{LOGGER}]").status == 0
    return folder


@pytest.fixture(autouse=True)
def place(site: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it."""
    shutil.copytree(site, tmp_path / "work")
    with working_in(tmp_path / "work", site.parent):
        yield tmp_path / "work"


def test_the_same_run_is_repeated_beside_it() -> None:
    before = files_in(CELL)
    ended = run(*AGAIN, "--trainer.enable_progress_bar", "false")
    assert (ended.status, ended.errors) == (
        0,
        f"flt: {CELL} holds this run: it is repeated in a new folder beside it\n",
    )
    assert files_in(CELL) == before
    assert same_parameters(CELL, CELL.with_name("version_0"))
    assert run(*AGAIN[:2], str(CELL.with_name("version_0") / "config.yaml")).errors == ""
    assert CELL.with_name("version_1").is_dir()


@pytest.mark.parametrize(
    ("changes", "told", "command"),
    [
        (("--trainer.max_steps", "4"), "trainer.max_steps: 2 (there), 4 (given)", "to train it further, flt "),
        (("--aggregation", "Krum", "--trainer.max_steps", "1"), "callbacks.Krum (given)", "for a run of its own, flt "),
    ],
    ids=["more rounds", "another rule"],
)
def test_another_run_is_refused_with_the_command_that_would_do(
    changes: tuple[str, ...], told: str, command: str
) -> None:
    before = files_in(Path("results"))
    ended = run(*AGAIN, *changes)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1)
    assert f"{CELL} holds a run with other settings (" in ended.errors
    assert told in ended.errors
    assert files_in(Path("results")) == before
    assert run(*shlex.split(ended.errors.partition(command)[2])).status == 0


def test_a_damaged_configuration_is_named() -> None:
    given = Path("given.yaml")
    given.write_text((CELL / "config.yaml").read_text())
    (CELL / "config.yaml").write_text("model: [\n")
    ended = run("fit", "--config", str(given))
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1)
    assert str(CELL / "config.yaml") in ended.errors


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("CSVLogger", {"save_dir": "results/cells", "name": "x", "version": "seed_0"}, True),
        ("CSVLogger", {"save_dir": "results/cells", "name": "x", "version": "seed_1"}, False),
        ("CSVLogger", {"save_dir": "results/cells", "name": "x", "version": None}, False),
        ("CSVLogger", {"save_dir": "results/cells", "name": "x", "version": 0}, False),
        ("WandbLogger", {"save_dir": "results/cells", "project": "x", "id": "seed_0"}, True),
        ("TensorBoardLogger", {"save_dir": "results/cells", "name": "x", "version": "seed_0"}, False),
    ],
)
def test_which_folder_is_taken(kind: str, settings: dict[str, object], expected: bool) -> None:
    logger = Namespace(class_path=f"lightning.pytorch.loggers.{kind}", init_args=Namespace(settings))
    for loggers in (logger, [logger, True]):
        assert occupied(loggers) == (CELL if expected else None)
        if expected:
            assert occupied(apart(loggers)) is None
    assert occupied(False) is None
