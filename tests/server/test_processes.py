"""Several processes make the run that one makes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cases_of_processes import CASES, IN_LARGE_PARTS, outcome
from command_line import CONFIGS, run, working_in

from flt.runs.reading import metrics_of

HELPERS = Path(__file__).parents[1] / "helpers"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PL_GLOBAL_SEED": "0", "FLT_CACHE": "cache"}


def start(*command: str, folder: Path) -> str:
    """Runs a command to its end and returns what it printed."""
    paths = [str(HELPERS), str(HELPERS.parents[1])]
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)}
    ended = subprocess.run(  # noqa: S603  # its own commands
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All cases as three processes make them."""
    folder = tmp_path_factory.mktemp("shared")
    start(sys.executable, str(HELPERS / "cases_of_processes.py"), str(folder), "3", "1000", "1", folder=folder)
    return folder


@pytest.mark.filterwarnings("ignore")  # the cases are about what comes out
@pytest.mark.parametrize("name", CASES)
def test_the_same_run(folder: Path, tmp_path: Path, name: str) -> None:
    """With clients in small parts, and for some of the runs in large ones."""
    alone = outcome(name, tmp_path)
    for clients in (1, 1000) if name in IN_LARGE_PARTS else (1,):
        results = [torch.load(folder / f"{name}.{clients}.{rank}.pt", weights_only=True) for rank in range(3)]
        for key, value in alone["state"].items():
            torch.testing.assert_close(results[0]["state"][key], value, rtol=1e-5, atol=1e-6)
            assert all(torch.equal(result["state"][key], results[0]["state"][key]) for result in results)
        for result in results:
            assert result["dropped"] == alone["dropped"]
            for row, own in zip(result["rows"], alone["rows"], strict=True):
                assert row == pytest.approx(own, rel=1e-4, abs=1e-6)
            torch.testing.assert_close(result["judgements"], alone["judgements"], rtol=1e-4, atol=1e-6, equal_nan=True)


@pytest.fixture
def settings_of_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undoes what ``trainer.deterministic`` changes in the process."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore")  # about what comes out
def test_the_command_line_starts_them_itself(tmp_path: Path, settings_of_torch: None) -> None:
    """Two processes, whose files are those of one: one folder, each evaluation exact."""
    (tmp_path / "start.py").write_text("from flt.main import console\n\nconsole()\n")
    settings = [
        *("fit", "--config", str(CONFIGS / "har_fltrust.yaml"), "--data.stand_in", "always"),
        *("--trainer.accelerator", "cpu", "--trainer.val_check_interval", "3", "--trainer.deterministic", "true"),
        *("--trainer.log_every_n_steps", "1", "--trainer.max_steps", "3"),
    ]
    start(sys.executable, "start.py", *settings, "--trainer.devices", "2", folder=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with working_in(elsewhere, elsewhere):
        assert run(*settings, "--trainer.devices", "1").status == 0
    one, two = (folder / "runs" / "har" / "version_0" for folder in (elsewhere, tmp_path))
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())
    assert [path.name for path in two.parent.iterdir()] == ["version_0"]
    assert metrics_of(two)[-1] == pytest.approx(metrics_of(one)[-1], rel=1e-5)
    states = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for folder in (one, two)
    ]
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-5, atol=1e-6)
