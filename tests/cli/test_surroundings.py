"""What surrounds a run: environment, streams, warnings, callbacks and loggers of Lightning's."""

import ctypes
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import FLTRUST, SMALL, expected_warnings, run, working_in
from offline_wandb import end_wandb

from flt.cli.exit_status import exit_status

pytestmark = expected_warnings


def command() -> int:
    """A command that needs what `set_up` settles."""
    print("a line")
    import matplotlib as mpl

    mpl.rcParams["backend"] = os.environ.get("MPLBACKEND", "agg")  # as matplotlib itself does when it is imported
    return 0


@pytest.mark.parametrize(("name", "value"), [("LOCAL_RANK", "x"), ("WORLD_SIZE", ""), ("MASTER_PORT", "1.5")])
def test_a_number_that_is_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert exit_status(command) == 2
    output, told = capsys.readouterr()
    assert (output, told) == (
        "",
        f"flt: error: the environment has {name}={value!r}, which is to be a whole number: unset it\n",
    )


def test_a_backend_that_there_is_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    assert exit_status(command) == 0
    assert capsys.readouterr() == ("a line\n", "")


def test_closed_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert exit_status(command) == 0
    sys.stdout.close()
    assert capsys.readouterr().err == "flt: warning: standard output is closed: what would be shown is lost\n"


def test_closed_streams_are_not_taken_by_files(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:  # pragma: no cover  # in another process, which ends here
        os.close(0)
        os.close(1)
        status = exit_status(lambda: (tmp_path / "a_file").open().fileno() if (tmp_path / "a_file").touch() else 0)
        os._exit(status or int(os.open(os.devnull, os.O_RDONLY) <= 2))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_warnings_as_errors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["error"])

    def warns() -> None:
        warnings.warn("what only a library's developer can mend", DeprecationWarning, stacklevel=1)
        warnings.warn("a setting has no effect", stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert exit_status(warns) == 2
    told = capsys.readouterr().err
    assert told.startswith("flt: error: a setting has no effect (a warning, which -W error")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
@pytest.mark.parametrize(("variable", "is_kept"), [("", True), ("MALLOC_TRIM_THRESHOLD_", False)])
def test_freed_memory_is_used_again(variable: str, is_kept: bool) -> None:
    size = 2**26  # bytes; otherwise glibc maps what is larger than half of it anew each time
    code = f"""
import resource, torch
from flt.cli.environment import set_up

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones({size // 4})
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

set_up()
torch.ones({size // 2})  # room for two
print(pages())
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    environment |= {variable: "131072"} if variable else {}
    done = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    of_all = int(done.stdout) / (size / resource.getpagesize())
    assert of_all < 0.1 if is_kept else of_all > 0.9


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with what the faults are about."""
    base = tmp_path_factory.mktemp("faults")
    folder = base / "work"
    folder.mkdir()
    with working_in(folder, base):
        yield folder


def test_a_run_that_diverges_and_a_network_of_another_kind_are_told(place: Path) -> None:
    own = ("--model.network", "torch.nn.Linear", "--model.network.in_features", "561")
    ended = run(
        "fit", "--config", FLTRUST, *SMALL, *own, "--model.network.out_features", "6", "--model.client_lr", "1e9"
    )
    assert ended.status == 0
    inherited, diverged = ended.errors.splitlines()
    assert inherited.startswith("flt: warning: model.network Linear trains with model.initialization=xavier and")
    assert diverged.startswith("flt: warning: the run has diverged")
    assert "lower model.client_lr=1000000000.0 or model.server_lr=1.0 or set model.loss_reduction=mean" in diverged


@pytest.mark.parametrize(("key", "reason"), [(None, "No API key configured"), ("short", "API key must have")])
def test_wandb_without_a_login_goes_offline(
    place: Path, key: str | None, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    if key is not None:
        monkeypatch.setenv("WANDB_API_KEY", key)
    end_wandb()
    logger = ("--trainer.logger", "WandbLogger", "--trainer.logger.save_dir", str(tmp_path))
    try:
        with pytest.warns(UserWarning, match=reason) as told:
            ended = run("fit", "--config", FLTRUST, *SMALL, *logger)
    finally:
        end_wandb()
    assert ended.status == 0, ended.errors
    (folder,) = tmp_path.glob("wandb/offline-run-*")
    advice = f"the run is logged offline; upload it later by: wandb sync {folder}"
    assert [str(each.message).endswith(advice) for each in told if "W&B" in str(each.message)] == [True]
