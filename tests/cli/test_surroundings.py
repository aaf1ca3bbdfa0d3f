"""What surrounds a run: environment, streams, warnings, callbacks and loggers of Lightning's."""

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import FLTRUST, SMALL, expected_warnings, files_in, run, working_in
from offline_wandb import end_wandb

from flt.cli.exit_status import exit_status

pytestmark = expected_warnings


def command() -> int:
    """A command that needs what `set_up` settles."""
    print("a line")
    import matplotlib as mpl

    mpl.rcParams["backend"] = os.environ.get("MPLBACKEND", "agg")  # as matplotlib itself does when it is imported
    return 0


@pytest.mark.parametrize("name", ["LOCAL_RANK", "RANK", "WORLD_SIZE", "SLURM_PROCID", "MASTER_PORT"])
@pytest.mark.parametrize("value", ["x", "", "1.5"])
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


CALLBACK = "--trainer.callbacks"
SAME = (f"{CALLBACK}+", "ModelCheckpoint", f"{CALLBACK}.monitor", "testing_error_rate")
NEVER = ("--trainer.logger.flush_logs_every_n_steps", "0")
FAULTS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "learning-rate finder": ((CALLBACK, "LearningRateFinder"), ["holds LearningRateFinder", "model.client_lr"]),
    "batch-size finder": ((CALLBACK, "BatchSizeFinder"), ["holds BatchSizeFinder", "data.batch_size"]),
    "fine-tuning": ((CALLBACK, "lightning.pytorch.callbacks.BackboneFinetuning"), ["BackboneFinetuning", "network"]),
    "pruning": (
        (CALLBACK, "ModelPruning", f"{CALLBACK}.pruning_fn", "l1_unstructured"),
        ["holds ModelPruning", "after training"],
    ),
    "averaging of weights": (
        (CALLBACK, "StochasticWeightAveraging", f"{CALLBACK}.swa_lrs", "0.1"),
        ["StochasticWeightAveraging", "model.server_optimizer"],
    ),
    "gradient accumulation": (
        (CALLBACK, "GradientAccumulationScheduler", f"{CALLBACK}.scheduling", "{0: 2}"),
        ["GradientAccumulationScheduler", "model.local_steps"],
    ),
    "stopping early without a backdoor": (
        (CALLBACK, "EarlyStopping", f"{CALLBACK}.monitor", "attack_success_rate"),
        ["EarlyStopping monitors attack_success_rate", "testing_error_rate"],
    ),
    "the same checkpoints twice": ((*SAME, *SAME), ["two ModelCheckpoint with monitor=testing_error_rate"]),
    "never flushing": (
        ("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "r", *NEVER),
        ["trainer.logger.flush_logs_every_n_steps=0", "1 or more"],
    ),
    "runs on another machine": (
        ("--trainer.logger.save_dir", "memory://runs"),
        ["trainer.logger.save_dir=memory://runs", "folder of this machine"],
    ),
    "everything on another machine": (
        ("--trainer.default_root_dir", "s3://bucket/runs"),
        ["trainer.default_root_dir=s3://bucket/runs", "folder of this machine"],
    ),
    "more rounds than a number can count": (
        ("--trainer.max_steps", str(2**63)),
        [f"trainer.max_steps={2**63}", "or less"],
    ),
    "more memory than there is": (("--model.local_steps", str(2**62)), [f"model.local_steps={2**62} would need", "GB"]),
    "server_lr beyond float32": (("--model.server_lr", "1e308"), ["model.server_lr=1e+308", "float32"]),
    "lr_gamma beyond float32": (("--model.lr_gamma", "1e300"), ["model.lr_gamma=1e+300", "float32"]),
    "decays beyond float32": (
        ("--model.lr_gamma", "1e30", "--model.lr_milestones", "[1, 1, 1]"),
        ["model.lr_gamma=1e+30", "after 3 of model.lr_milestones"],
    ),
    "a scale beyond float32": (("--attack", "ScalingAttack", "--attack.scale", "1e39"), ["attack.scale=1e+39"]),
    "noise beyond float32": (
        ("--attack", "AdaptiveAttack", "--attack.noise_variance", "1e60"),
        ["attack.noise_variance=1e+60"],
    ),
    "epsilon beyond float32": (("--attack", "KrumAttack", "--attack.epsilon", "1e39"), ["attack.epsilon=1e+39"]),
    "a million milestones": (("--config", "milestones.yaml"), ["milestones.yaml", "a list of more than 1,000 entries"]),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with what the faults are about."""
    base = tmp_path_factory.mktemp("faults")
    folder = base / "work"
    folder.mkdir()
    (folder / "milestones.yaml").write_text(f"model:\n  lr_milestones: {list(range(1, 2000))}\n")
    with working_in(folder, base):
        yield folder


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(place: Path, fault: str) -> None:
    arguments, mentioned = FAULTS[fault]
    before = files_in(place)
    ended = run("fit", "--config", FLTRUST, *SMALL, *arguments)
    assert ended.status == 2, ended.errors
    (line,) = ended.errors.splitlines()
    assert line.startswith("flt: error: ")
    assert [each for each in mentioned if each not in line] == [], line
    assert "traceback" not in line, "the line itself tells what to do"
    assert files_in(place) == before


def test_callbacks_that_can_work(place: Path) -> None:
    several = [word for name in ("LearningRateMonitor", "EMAWeightAveraging") for word in (f"{CALLBACK}+", name)]
    stopping = (f"{CALLBACK}+", "EarlyStopping", f"{CALLBACK}.monitor", "testing_error_rate")
    ended = run("fit", "--config", FLTRUST, *SMALL, *several, *stopping)
    assert (ended.status, ended.errors) == (0, "")


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
