"""Damaged checkpoints and summaries: one line that names the file, never a traceback, and nothing on disk changes."""

import json
import shutil
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from command_line import files_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from mutations import changed, damaged, json_files

from callbacks import FedAvg, FLTrust, MetricsLogger, RunReport, TrimAttack
from flt.errors import InputError
from flt.federation import Aggregate, FederatedCallback, Round
from flt.runs.checkpoints import REMOVE, read_checkpoint
from flt.runs.summary import finished_summary, read_summary

# Nothing that a fixture makes here is changed by an example, or it is undone.
short = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ADAM = partial(torch.optim.Adam, lr=0.05)


def fit(folder: Path, *callbacks: Callback, ckpt_path: Path | None = None, rounds: int = 4) -> None:
    """Trains in a folder, or goes on in it."""
    checkpoints = ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=False,
        enable_version_counter=False,
    )
    logger = CSVLogger(folder.parent.parent, name=folder.parent.name, version=folder.name)
    parts = [FLTrust(), TrimAttack(), MetricsLogger(), RunReport(curves=False), checkpoints, *callbacks]
    given: dict[str, object] = {"logger": logger, "enable_checkpointing": True}
    tiny.fit(
        folder,
        *parts,
        rounds=rounds,
        ckpt_path=ckpt_path,
        trainer_settings=given,
        server_optimizer=ADAM,
        client_lr=0.02,
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 4 rounds."""
    folder = tmp_path_factory.mktemp("damage") / "runs" / "name" / "run"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PL_GLOBAL_SEED", "0")
        fit(folder)
    return folder


@pytest.fixture(scope="module")
def whole(stopped: Path) -> dict[str, Any]:
    """The content of its checkpoint."""
    content: dict[str, Any] = torch.load(stopped / "checkpoints" / "last.ckpt", weights_only=True)
    return content


def attempt(act: Callable[[], object], folder: Path) -> str | None:
    """What is said when something is refused, in one line and with nothing changed in the folder; None if it is not."""
    before, told = files_in(folder), None
    try:
        act()
    except InputError as error:
        told = str(error)
    assert told is None or ("\n" not in told and files_in(folder) == before)
    return told


def go_on(stopped: Path, content: Any, *, command: str = "fit") -> str | None:
    """Goes on from another checkpoint in the place of the run's own, or evaluates it, and undoes it."""
    spare = stopped.with_name("spare")
    shutil.copytree(stopped, spare)
    path = stopped / "checkpoints" / "last.ckpt"
    torch.save(content, path)

    def act() -> None:
        read_checkpoint(path, str(path), REMOVE, training=command == "fit")
        if command == "fit":
            fit(stopped, ckpt_path=path, rounds=6)
        else:
            trainer = tiny.trainer(stopped, FLTrust(), TrimAttack(), MetricsLogger(), RunReport(curves=False))
            given: dict[str, Any] = {"datamodule": tiny.TinyData(), "ckpt_path": path, "verbose": False}
            trainer.test(tiny.module(), **given, weights_only=True)

    try:
        return attempt(act, stopped)
    finally:
        shutil.rmtree(stopped)
        spare.rename(stopped)


pytestmark = [
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
    pytest.mark.filterwarnings("ignore:The loaded checkpoint was produced with Lightning"),
    pytest.mark.filterwarnings("ignore:training goes on with other settings"),
    pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped"),
    pytest.mark.filterwarnings("ignore:a round had no usable aggregate"),
]


@settings(short, max_examples=15)
@given(data=st.data())
@pytest.mark.parametrize("command", ["fit", "test"])
def test_any_node_of_a_checkpoint(stopped: Path, whole: dict[str, Any], command: str, data: st.DataObject) -> None:
    """A run goes on or is evaluated, or one line says why not."""
    told = go_on(stopped, data.draw(damaged(whole, tensors=True)), command=command)
    assert told is None or "last.ckpt" in told or "the checkpoint is of another" in told


LOOPS = ("loops", "fit_loop")
STEPS = (*LOOPS, "epoch_loop.manual_optimization.optim_step_progress", "total", "completed")
GROUP = ("optimizer_states", 0, "param_groups", 0)
MOMENT = ("optimizer_states", 0, "state", 0, "exp_avg")
WEIGHT = ("state_dict", "network.0.weight")
DAMAGED: dict[str, tuple[tuple[Any, ...], Any, str]] = {
    "no optimizer": (("optimizer_states",), [], "optimizer_states is a list of 0, not a list of 1"),
    "null for a number": (("global_step",), None, "global_step is null, not a whole number from 0"),
    "rate that is null": ((*GROUP, "lr"), None, "param_groups[0].lr is null, not a number"),
    "rate out of range": ((*GROUP, "betas", 0), -1, "cannot be restored (ValueError: Invalid beta parameter"),
    "no progress": (LOOPS, {}, "fit_loop has no state_dict"),
    "other progress": (STEPS, 3, "has done 3 rounds, global_step is 4"),
    "no callbacks": (("callbacks",), {}, "callbacks has no MetricsLogger"),
    "rows of text": (("callbacks", "MetricsLogger", "rows"), ["a"], "MetricsLogger cannot be restored"),
    "old Lightning": (("pytorch-lightning_version",), "1.9.0", "not a version of Lightning from 2.6 on"),
    "no version": (("pytorch-lightning_version",), "new", "not a version of Lightning"),
    "sparse weights": (WEIGHT, torch.zeros(5, 12).to_sparse(), "is a sparse_coo tensor of [5, 12], not a dense tensor"),
    "meta weights": (WEIGHT, torch.empty(5, 12, device="meta"), "is a meta tensor of [5, 12], not a dense tensor"),
    "whole weights": (WEIGHT, torch.zeros(5, 12, dtype=torch.int64), "it has [5, 12] int64 where this one has [5, 12]"),
    "other weights": (WEIGHT, torch.zeros(5, 3), "it has [5, 3] where this one has [5, 12]"),
    "extra weights": (("state_dict", "more"), torch.zeros(1), "it has [1] where this one has nothing for more"),
    "other moments": (MOMENT, torch.zeros(3), "optimizer_states[0] cannot be restored"),
    "memory": (("flt_memory", "Rule"), {"rows by client id": torch.zeros(3), "is_known": 1}, "is not a row for each"),
    "no settings": (("flt",), {}, "flt has no data"),
    "broken settings": (("flt_config",), "{", "flt_config is no JSON"),
    "ids of W&B": (("flt_wandb_ids",), 5, "flt_wandb_ids is 5, not a list"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_said_of_a_damaged_checkpoint(stopped: Path, whole: dict[str, Any], name: str) -> None:
    path, value, told = DAMAGED[name]
    said = go_on(stopped, changed(whole, path, value))
    assert said is not None
    assert told in said
    assert said.endswith(REMOVE) or "the checkpoint is of another model" in said


def test_an_evaluation_needs_no_optimizer(stopped: Path, whole: dict[str, Any]) -> None:
    """As ModelCheckpoint leaves out with ``save_weights_only``; going on needs it."""
    light = {name: value for name, value in whole.items() if name not in ("optimizer_states", "callbacks", "loops")}
    assert go_on(stopped, light, command="test") is None
    assert "it has no loops" in str(go_on(stopped, light))


@settings(short, max_examples=100)
@given(data=st.data())
def test_any_content_of_a_summary(stopped: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = json.loads((stopped / "summary.json").read_text())
    (tmp_path / "summary.json").write_bytes(data.draw(json_files(whole)))
    told = attempt(partial(read_summary, tmp_path), tmp_path)
    assert told is None or told.startswith(str(tmp_path / "summary.json"))
    assert (finished_summary(tmp_path) is None) == (told is not None)


@pytest.mark.parametrize("content", ["NaN", "null"])
def test_what_is_no_number_is_null(tmp_path: Path, stopped: Path, content: str) -> None:
    text = (stopped / "summary.json").read_text()
    whole = json.loads(text)
    text = text.replace(f'"testing_error_rate": {whole["testing_error_rate"]}', f'"testing_error_rate": {content}', 1)
    (tmp_path / "summary.json").write_text(text)
    assert read_summary(tmp_path) == {**whole, "testing_error_rate": None}


class Momentum(FederatedCallback):
    """Keeps a tensor that no checkpoint has, and one that never changes."""

    def __init__(self) -> None:
        self.constant = torch.ones(3)
        self.momentum: dict[str, Any] = {}

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        self.momentum = {"mean": [aggregate.update]}


class Constant(Momentum):
    """Keeps only the constant."""

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        pass


class Remembering(Momentum):
    """Keeps it in checkpoints."""

    def state_dict(self) -> dict[str, Any]:
        return {"momentum": self.momentum}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.momentum = state_dict["momentum"]


class History(Momentum):
    """Keeps tensors in a queue."""

    def on_round_end(self, trainer: Trainer, round: Round, aggregate: Aggregate) -> None:
        self.updates = deque([*getattr(self, "updates", []), aggregate.update], maxlen=2)
        self.momentum = torch.zeros(1)


@pytest.mark.parametrize(
    ("kind", "warns"), [(Momentum, True), (Constant, False), (Remembering, False), (History, True)]
)
def test_tensors_that_are_in_no_checkpoint(tmp_path: Path, kind: type[Momentum], warns: bool) -> None:
    settings: dict[str, object] = {"enable_checkpointing": True}

    def start(path: Path | None, rounds: int) -> None:
        saving = ModelCheckpoint(dirpath=tmp_path, filename="last", every_n_epochs=1, save_on_train_epoch_end=False)
        tiny.fit(tmp_path, FedAvg(), kind(), saving, rounds=rounds, ckpt_path=path, trainer_settings=settings)

    start(None, 2)
    told = pytest.warns(UserWarning, match=f"{kind.__name__} keeps tensors that are not in the checkpoint")
    with told if warns else nullcontext():
        start(tmp_path / "last.ckpt", 4)
