"""Faults of plug-ins and of what surrounds a run: one line, and the traceback in a file."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import FLTRUST, SMALL, expected_warnings, files_in, run, working_in

from flt.cli.exit_status import exit_status
from flt.errors import PluginError, one_line

pytestmark = expected_warnings

PLUGINS = """
import lightning.pytorch as pl
from torch import nn

from callbacks import FedAvg, NoAttack


class Rule(FedAvg):
    def finish(self, total, round):
        return super().finish(total, round) if 1 / (1 - round.number) else None


class Start(NoAttack):
    def __init__(self, number: int = 1):
        super().__init__()
        raise KeyError(number)


class Data(NoAttack):
    def poison(self, federation):
        raise RuntimeError("of three\\nlines\\nin all")


class Lazy(pl.Callback):
    def setup(self, trainer, pl_module, stage):
        trainer.strategy.nope


class Quiet(pl.Callback):
    pass


class Reshaping(nn.Linear):
    def __init__(self, change: str = "view"):
        super().__init__(561, 6)
        self.change = change

    def forward(self, features):
        return getattr(super().forward(features), self.change)(5, 7)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """An empty working directory but for the plug-ins."""
    folder = tmp_path / "work"
    folder.mkdir()
    with working_in(folder, tmp_path):
        (folder / "plugins_of_tests.py").write_text(PLUGINS)
        yield folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, which is empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--attack", "plugins_of_tests.Start"), ["KeyError: 1", "plugins_of_tests.py, line 16"]),
        (("--attack", "plugins_of_tests.Data"), ["RuntimeError: of three lines in all", "line 21"]),
        (("--model.network", "plugins_of_tests.Reshaping"), ["model.network Reshaping cannot take", "line 39"]),
        (("--trainer.callbacks", "plugins_of_tests.Lazy"), ["AttributeError", "nope", "line 26"]),
    ],
)
def test_before_the_first_round(place: Path, temporary: Path, arguments: tuple[str, ...], told: list[str]) -> None:
    before = files_in(place)
    ended = run("fit", "--config", FLTRUST, *SMALL, *arguments)
    (line,) = ended.errors.splitlines()
    assert ended.status == 2
    assert line.startswith("flt: error: ")
    assert [each for each in told if each not in line] == []
    (path,) = temporary.iterdir()
    assert line.endswith(f"; traceback in {path}")
    assert path.read_text().startswith("Traceback (most recent call last):")
    assert {name for name in files_in(place).keys() - before.keys() if "__pycache__" not in name} == set()


def test_a_metric_that_a_callback_of_ones_own_does_not_log(place: Path, temporary: Path) -> None:
    words = ("--trainer.callbacks+", "plugins_of_tests.Quiet", "--trainer.callbacks+", "EarlyStopping")
    ended = run("fit", "--config", FLTRUST, *SMALL, *words, "--trainer.callbacks.monitor", "nope")
    (line,) = ended.errors.splitlines()
    assert (ended.status, "`nope`" in line, "`testing_error_rate`" in line) == (2, True, True)
    assert list(temporary.iterdir()) == []


def test_in_a_round(place: Path, temporary: Path) -> None:
    ended = run("fit", "--config", FLTRUST, *SMALL, "--aggregation", "plugins_of_tests.Rule", "--attack", "NoAttack")
    line = ended.errors.splitlines()[-1]
    assert ended.status == 2
    assert re.search(r"flt: error: .*plugins_of_tests\.py, line 10\)", line), ended.errors
    (path,) = place.glob("runs/*/*/traceback.txt")
    assert line.endswith(f"; traceback in {path.relative_to(place)}")
    assert list(temporary.iterdir()) == []


def test_no_secret_in_the_line_or_the_file(
    temporary: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")

    def command() -> None:
        raise RuntimeError("key 0123456789abcdef is refused")

    assert exit_status(command) == 2
    (path,) = temporary.iterdir()
    for text in (capsys.readouterr().err, path.read_text()):
        assert "key *** is refused" in text
        assert "0123456789abcdef" not in text


def test_without_a_place_for_the_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")

    def command() -> None:
        try:
            raise RuntimeError("inside")
        except RuntimeError as error:
            raise PluginError(f"the rule Mine: {one_line(error)}") from error

    assert exit_status(command) == 2
    told = capsys.readouterr().err
    assert told.startswith("flt: error: the rule Mine: RuntimeError: inside (")
    assert "traceback" not in told
