"""``flt fit --resume``: a run that a signal, a full disk or a power cut has stopped ends as if nothing had happened."""

import errno
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import (
    FLTRUST,
    SMALL,
    checkpoint_of,
    expected_warnings,
    files_in,
    run,
    same_parameters,
    summary_of,
    working_in,
)
from jsonargparse import Namespace
from lightning.pytorch.loggers import CSVLogger, WandbLogger

from flt.errors import InputError
from flt.module import FederatedModule
from flt.runs.resume import WANDB_IDS, EarlierRun, logged_under

pytestmark = [*expected_warnings, pytest.mark.usefixtures("place")]

SIX_ROUNDS = ("fit", "--config", FLTRUST, *SMALL, "--trainer.max_steps", "6", "--attack", "TrimAttack")
FOLDER = Path("runs/har/version_0")
LAST = FOLDER / "checkpoints" / "last.ckpt"
CONFIG = FOLDER / "config.yaml"
RESUME = ("fit", "--resume", str(FOLDER))
KILLED = """
import os, signal, sys
from flt.main import console

renamed, rename = [], os.replace

def replace(source, target):
    if "wandb" in sys.modules:
        sys.exit("a run without W&B has imported it")
    if str(target).endswith("last.ckpt"):
        if renamed:
            os.kill(os.getpid(), signal.SIGKILL)
        renamed.append(target)
    rename(source, target)

os.replace = replace
console()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that nothing has disturbed, one that Ctrl-C has stopped after 3 of 6 rounds, and one of 8."""
    base = tmp_path_factory.mktemp("resume")
    for name in ("whole", "stopped", "longer"):
        (base / name).mkdir()
    with working_in(base / "whole", base):
        assert run(*SIX_ROUNDS).status == 0
    with working_in(base / "longer", base):
        assert run(*SIX_ROUNDS, "--trainer.max_steps", "8").status == 0
    with working_in(base / "stopped", base), pytest.MonkeyPatch.context() as patched:
        stop(patched, lambda: signal.raise_signal(signal.SIGINT))
        assert run(*SIX_ROUNDS).status == 130
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning no longer listens to it
    return base


@pytest.fixture
def place(site: Path, tmp_path: Path) -> Iterator[Path]:
    """A working directory with the stopped run."""
    shutil.copytree(site / "stopped", tmp_path / "work")
    with working_in(tmp_path / "work", site):
        yield tmp_path / "work"
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stop(patched: pytest.MonkeyPatch, how: Callable[[], object], *, after: int = 3) -> None:
    """Has something happen to a run after this many rounds."""
    end = FederatedModule.on_train_batch_end

    def on_train_batch_end(self: FederatedModule, *args: Any) -> None:
        end(self, *args)
        if self.trainer.global_step == after:
            how()

    patched.setattr(FederatedModule, "on_train_batch_end", on_train_batch_end)


def same_run(folder: Path, other: Path) -> None:
    assert same_parameters(folder, other)
    for name in ("metrics.csv", "config.yaml"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    ours, theirs = summary_of(folder), summary_of(other)
    assert ours.pop("seconds") > 0
    assert theirs.pop("seconds") > 0
    assert ours == theirs
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert names == {path.relative_to(other).as_posix() for path in other.rglob("*")}


@pytest.mark.parametrize(
    ("sent", "name", "status", "after"), [(signal.SIGINT, "Ctrl-C", 130, 1), (signal.SIGTERM, "SIGTERM", 143, 3)]
)
def test_a_signal(
    site: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals, name: str, status: int, after: int
) -> None:
    """The run stops after its round, written as it stands, and says in one line how to go on."""
    shutil.rmtree("runs")

    def send() -> None:
        assert signal.getsignal(sent) != signal.SIG_DFL  # or this process would end
        signal.raise_signal(sent)

    with monkeypatch.context() as patched:
        stop(patched, send, after=after)
        ended = run(*SIX_ROUNDS)
    told = f"flt: stopped by {name}; {after} rounds are done, go on with: flt fit --resume {FOLDER}\n"
    assert (ended.status, ended.errors) == (status, told)
    assert checkpoint_of(FOLDER)["global_step"] == after
    if after == 1:
        LAST.unlink()  # as where a kill came before the first one
    resumed = run(*shlex.split(ended.errors.partition("go on with: flt ")[2]))
    anew = f"flt: the run in {FOLDER} stopped before its first checkpoint and begins anew\n"
    assert (resumed.status, resumed.errors) == (0, anew if after == 1 else "")
    same_run(FOLDER, site / "whole" / FOLDER)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_kill_between_writing_and_renaming(site: Path, place: Path) -> None:
    """In a process of its own, which nothing tidies up after: as at a power cut."""
    shutil.rmtree("runs")
    (place / "start.py").write_text(KILLED)
    command = [sys.executable, "start.py", *SIX_ROUNDS]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert checkpoint_of(FOLDER)["global_step"] == 2
    (stray,) = LAST.parent.glob(".*")
    assert (
        torch.load(stray, weights_only=True)["global_step"] == 6
    )  # the evaluation between them was too soon after the first
    assert run(*RESUME).status == 0
    same_run(FOLDER, site / "whole" / FOLDER)


@pytest.mark.parametrize("name", ["config.yaml", "last.ckpt", "summary.json"])
def test_a_full_disk(site: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """While any of the files is written for the first or, where there is one, the second time."""
    shutil.rmtree("runs")
    full, make = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), tempfile.mkstemp
    written: list[str] = []

    def mkstemp(*args: Any, prefix: str, **kwargs: Any) -> tuple[int, str]:
        written.append(prefix)
        if prefix == f".{name}." and (name != "last.ckpt" or written.count(prefix) == 2):
            handle, path = make(*args, prefix=prefix, **kwargs)
            os.close(handle)
            return os.open("/dev/full", os.O_WRONLY), path
        return make(*args, prefix=prefix, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr("flt.files.tempfile.mkstemp", mkstemp)
        ended = run(*SIX_ROUNDS)
    path = LAST if name == "last.ckpt" else FOLDER / name
    told = f"flt: error: {path} cannot be written ({full.strerror}): free some space"
    line = ended.errors.replace(f"{Path.cwd()}/", "")
    assert (ended.status, line.partition(";")[0].strip()) == (1, told)
    assert line.endswith(f" rounds are done, go on with: flt fit --resume {FOLDER}\n") == (name != "config.yaml")
    assert not list(Path("runs").rglob(".*"))
    assert path.exists() == (name == "last.ckpt")
    if name == "config.yaml":  # nothing had begun
        assert not FOLDER.exists()
        return
    assert run(*RESUME).status == 0
    same_run(FOLDER, site / "whole" / FOLDER)


def test_a_finished_run_is_left_alone(site: Path, place: Path) -> None:
    shutil.rmtree("runs")
    shutil.copytree(site / "whole" / "runs", "runs")
    before = files_in(Path("runs"))
    ended = run(*RESUME)
    told = f"the run in {FOLDER} is finished: it has done its 6 rounds; ask for more with --trainer.max_steps"
    assert (ended.status, ended.errors, ended.output) == (0, f"flt: {told}\n", "")
    assert files_in(Path("runs")) == before


def test_more_rounds(site: Path) -> None:
    assert run(*RESUME, "--trainer.max_steps", "8").status == 0
    same_run(FOLDER, site / "longer" / FOLDER)


def test_where_it_runs_and_what_checkpoints_are_called_may_change(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder was moved, to a file system without locks; the checkpoint is of a callback of the user's own."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr("flt.runs.folder.fcntl.flock", flock)
    LAST.rename(LAST.with_name("epoch=0-step=2.ckpt"))
    Path("runs").rename("moved")
    further = ("--trainer.accelerator", "cpu", "--model.clients_per_chunk", "30", "--data.data_dir", "elsewhere")
    with pytest.warns(UserWarning, match="data.data_dir=elsewhere has no effect with data.stand_in=always"):
        assert run("fit", "--resume=moved/har/version_0", *further).status == 0
    assert not Path("runs").exists()
    assert same_parameters(Path("moved/har/version_0"), site / "whole" / FOLDER)


def test_the_rows_of_before_are_always_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a run that goes on is stopped again before it writes a row."""
    before = (FOLDER / "metrics.csv").read_text()
    with monkeypatch.context() as patched:
        patched.setattr(FederatedModule, "setup", lambda *_, **__: signal.raise_signal(signal.SIGINT))
        assert run(*RESUME).status == 130
    assert (FOLDER / "metrics.csv").read_text() == before


@pytest.mark.parametrize("content", [None, "round"])
def test_metrics_of_a_finished_run_are_written_anew(site: Path, place: Path, content: str | None) -> None:
    shutil.copytree(site / "whole" / FOLDER, FOLDER, dirs_exist_ok=True)
    path = FOLDER / "metrics.csv"
    path.unlink() if content is None else path.write_text(content)
    ended = run("plot", str(FOLDER), "--out", "curves.png")
    assert (ended.status, str(path) in ended.errors, f"flt fit --resume {FOLDER}" in ended.errors) == (2, True, True)
    assert run(*RESUME).status == 0
    same_run(FOLDER, site / "whole" / FOLDER)


def test_all_differences_are_told_at_once() -> None:
    CONFIG.write_text(CONFIG.read_text().replace("client_lr: 0.003", "client_lr: 0.1"))  # the checkpoint's counts
    before = files_in(Path("runs"))
    ended = run(*RESUME, "--aggregation=Krum", "--seed_everything=3", "--trainer.max_steps=5")
    assert (ended.status, ended.errors) == (
        2,
        f"flt: error: --resume {FOLDER} would go on with other settings than before (seed_everything: 0 (checkpoint), 3"
        " (given); trainer.max_steps: 6 (checkpoint), 5 (given); model.client_lr: 0.003 (checkpoint), 0.1 (given);"
        " aggregation: callbacks.FLTrust (checkpoint), callbacks.Krum (given)): leave them as they were, or start a new"
        " run\n",
    )
    assert files_in(Path("runs")) == before


def test_differences_from_a_run_without_a_checkpoint() -> None:
    LAST.unlink()
    ended = run(*RESUME, "--model.client_lr", "0.1", "--ckpt_path", "other.ckpt")
    assert ended.status == 2
    assert "(model.client_lr: 0.003 (config.yaml), 0.1 (given); ckpt_path: None (config.yaml), other" in ended.errors


def break_nothing() -> None:
    pass


BROKEN: dict[str, tuple[Callable[[], object], tuple[str, ...], str]] = {
    "no folder": (break_nothing, ("--resume", "runs/nope"), "--resume runs/nope: it holds no config.yaml; give the"),
    "a checkpoint": (
        break_nothing,
        ("--resume", str(LAST)),
        f"{LAST} is a file, not a folder: give that of its run, runs",
    ),
    "no value": (break_nothing, ("--resume",), "--resume .: it holds no config.yaml"),
    "broken config": (lambda: CONFIG.write_text("model: [\n"), RESUME[1:], str(CONFIG)),
    "unknown key in config": (lambda: CONFIG.write_text("model:\n  nope: 1\n"), RESUME[1:], "nope"),
    "empty checkpoint": (
        lambda: LAST.write_bytes(b""),
        RESUME[1:],
        "last.ckpt is not a readable checkpoint (EOFError): remove it, and the run goes on from an older one",
    ),
    "foreign checkpoint": (lambda: torch.save([], LAST), RESUME[1:], "last.ckpt is not a checkpoint of flt"),
    "no checkpoint of a finished run": (
        lambda: (LAST.unlink(), (FOLDER / "summary.json").write_text('{"rounds": 4}')),
        RESUME[1:],
        "kept no checkpoint to go on from",
    ),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_what_cannot_be_resumed(mistake: str) -> None:
    damage, arguments, told = BROKEN[mistake]
    damage()
    before = files_in(Path("runs"))
    ended = run("fit", *arguments)
    assert (ended.status, len(ended.errors.splitlines())) == (2, 1), ended.errors
    assert ended.errors.startswith("flt: error: ")
    assert told in ended.errors
    assert files_in(Path("runs")) == before


def test_a_run_that_another_process_is_at_work_on() -> None:
    before = files_in(Path("runs"))
    handle = os.open(FOLDER, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    ended = run(*RESUME)
    os.close(handle)
    assert ended.status == 2
    assert ended.errors.endswith(f"{FOLDER}: another process is at work on this run; wait for it, or stop it first\n")
    assert len(ended.errors.splitlines()) == 1
    assert files_in(Path("runs")) == before


# W&B


class OfWandb:
    """The part of a W&B run that is asked."""

    def __init__(self, id: str, *, offline: bool) -> None:
        self.id, self.offline = id, offline


def test_the_ids_of_runs_on_wandb_are_kept() -> None:
    loggers: list[Any] = [CSVLogger("."), WandbLogger(experiment=OfWandb("abc", offline=False), project="flt")]
    assert logged_under(loggers) == [None, "abc"]
    assert logged_under([WandbLogger(experiment=OfWandb("abc", offline=True), project="flt")]) == [None]
    assert checkpoint_of(FOLDER)[WANDB_IDS] == [None]


def logger_settings(kind: str, **settings: Any) -> Namespace:
    return Namespace(class_path=f"lightning.pytorch.loggers.{kind}", init_args=Namespace(**settings))


def test_a_run_goes_on_under_its_id() -> None:
    csv = logger_settings("CSVLogger", save_dir="runs", name="other", version=None)
    wandb = logger_settings("WandbLogger", save_dir="runs", id=None)
    earlier = EarlierRun(FOLDER, LAST, {WANDB_IDS: [None, "abc"]})
    settings = Namespace(trainer=Namespace(logger=[csv, wandb]), ckpt_path=None)
    going = earlier.going_on(settings)
    placed, kept = (logger.init_args for logger in going.trainer.logger)
    assert placed == Namespace(save_dir=str(Path("runs").absolute()), name="har", version="version_0")
    assert kept == Namespace(save_dir="runs", id="abc")
    assert (going.ckpt_path, settings.ckpt_path, csv.init_args.version, wandb.init_args.id) == (str(LAST), *[None] * 3)
    first = Namespace(trainer=Namespace(logger=wandb), ckpt_path="of another run")
    begun = EarlierRun(FOLDER, None, {}).going_on(first)  # which stopped before its first checkpoint
    assert begun.ckpt_path == "of another run"
    (alone,) = begun.trainer.logger
    assert alone.init_args == Namespace(save_dir=str(Path("runs").absolute()), id="version_0")


@pytest.mark.parametrize("logger", [True, logger_settings("TensorBoardLogger")], ids=["default", "TensorBoard"])
def test_a_logger_that_cannot_go_on(logger: object) -> None:
    with pytest.raises(InputError, match="only a CSVLogger, as the first logger, can go on in a folder"):
        EarlierRun(FOLDER, LAST, {}).going_on(Namespace(trainer=Namespace(logger=logger), ckpt_path=None))
