"""Several processes make the run that one makes."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from cases_of_processes import CASES, outcome
from command_line import CONFIGS, run, same_parameters, working_in

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


class Shared(NamedTuple):
    """All cases, run by so many processes, with clients in parts of about that size."""

    processes: int
    clients: int
    folder: Path


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes all cases with some processes, which are started once for all sizes of parts."""

    @functools.cache
    def launch(processes: int, *clients: int) -> Path:
        folder = tmp_path_factory.mktemp("shared")
        script = str(HELPERS / "cases_of_processes.py")
        torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}")
        start(*torchrun, script, str(folder), *map(str, clients), folder=folder)
        return folder

    return launch


@pytest.fixture(scope="module", params=[(3, 1000), (3, 1)], ids=lambda case: f"{case[0]}-{case[1]}")
def shared(request: pytest.FixtureRequest, launched: Callable[..., Path]) -> Shared:
    """All cases, run by several processes."""
    processes, clients = request.param
    return Shared(processes, clients, launched(processes, 1000, 1))


@pytest.mark.filterwarnings("ignore")  # the cases are about what comes out
@pytest.mark.parametrize("name", CASES)
def test_the_same_run(shared: Shared, tmp_path: Path, name: str) -> None:
    processes, clients, folder = shared
    alone = outcome(name, tmp_path)
    results = [torch.load(folder / f"{name}.{clients}.{rank}.pt", weights_only=True) for rank in range(processes)]
    for key, value in alone["state"].items():
        torch.testing.assert_close(results[0]["state"][key], value, rtol=1e-5, atol=1e-6)
        assert all(torch.equal(result["state"][key], results[0]["state"][key]) for result in results)
    for result in results:
        assert result["dropped"] == alone["dropped"]
        for row, own in zip(result["rows"], alone["rows"], strict=True):
            assert row == pytest.approx(own, rel=1e-4, abs=1e-6)
        for judged, own in zip(result["judgements"], alone["judgements"], strict=True):
            assert judged.keys() == own.keys()
            for key, vector in own.items():
                torch.testing.assert_close(judged[key], vector, rtol=1e-4, atol=1e-6, equal_nan=True)


@pytest.fixture
def settings_of_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undoes what ``trainer.deterministic`` changes in the process."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore")  # about what comes out
def test_the_command_line_starts_them_itself(tmp_path: Path, settings_of_torch: None) -> None:
    """Two processes, whose files are those of one: one folder, each evaluation exact.

    Where nothing depends on a clock, one process by itself makes the very run that this one makes.
    """
    (tmp_path / "start.py").write_text("from flt.main import console\n\nconsole()\n")
    settings = [
        *(
            "fit",
            "--config",
            str(CONFIGS / "har_fltrust.yaml"),
            "--data.stand_in",
            "always",
            "--trainer.max_steps",
            "3",
        ),
        *("--trainer.accelerator", "cpu", "--trainer.val_check_interval", "3", "--trainer.deterministic", "true"),
        *("--trainer.log_every_n_steps", "1"),
    ]
    for devices in ("1", "2"):
        start(sys.executable, "start.py", *settings, "--trainer.devices", devices, folder=tmp_path)
    one, two = (tmp_path / "runs" / "har" / f"version_{number}" for number in (0, 1))
    assert sorted(path.name for path in two.iterdir()) == sorted(path.name for path in one.iterdir())
    assert len(list((tmp_path / "runs" / "har").iterdir())) == 2
    last_of_one, last_of_two = (metrics_of(folder)[-1] for folder in (one, two))
    assert last_of_two == pytest.approx(last_of_one, rel=1e-5)
    states = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for folder in (one, two)
    ]
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-5, atol=1e-6)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with working_in(elsewhere, elsewhere):
        assert run(*settings, "--trainer.devices", "1").status == 0
    here = elsewhere / "runs" / "har" / "version_0"
    assert same_parameters(here, one)
    assert (here / "metrics.csv").read_text() == (one / "metrics.csv").read_text()
