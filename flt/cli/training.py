"""From the settings of ``flt fit | validate | test | predict`` to a run and its end."""

import os
import shlex
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

from jsonargparse import Namespace
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, Checkpoint

from callbacks.reporting import (
    Certificates,
    EvaluationMetrics,
    MetricsLogger,
    PacedCheckpoint,
    PredictionWriter,
    RoundProgressBar,
    RunReport,
    WandbReport,
)
from callbacks.reporting.wandb_runs import begin, name_runs
from flt.cli.config_writer import ConfigWriter
from flt.cli.exit_status import ending
from flt.cli.parser import FederatedArgumentParser
from flt.cli.settings import Request, keep_apart, read
from flt.data import FederatedDataModule
from flt.data.kept import KeptData
from flt.errors import InputError, Stopped
from flt.module import FederatedModule
from flt.random import run_seed
from flt.runs.folder import claim_run_folder, run_folder, sole_use
from flt.runs.writing import write_safely
from flt.server.processes import leave


class Run(NamedTuple):
    """What the settings of a command have made; ``checkpoint`` tells the trainer where to start from."""

    command: str
    model: FederatedModule
    data: FederatedDataModule
    trainer: Trainer
    checkpoint: dict[str, Any]


class Kept(NamedTuple):
    """What a process keeps for its next run: the parser of the command, and data sets."""

    parser: FederatedArgumentParser
    data: KeptData


def train_or_evaluate(
    command: str,
    args: Sequence[str],
    *,
    replaces: bool = False,
    instead: Callable[[Request], int | None] = lambda request: None,
    kept: Kept | None = None,
) -> int | None:
    """Runs ``flt fit``, ``validate``, ``test`` or ``predict``; raises a `Stopped` where it ends before its end.

    Args:
        command: The command.
        args: Its arguments.
        replaces: Whether a run takes the place of one in its folder, as where a grid begins it anew.
        instead: What happens in place of a run, and gives its exit status; None where the run is to happen.
        kept: What earlier runs of this process have left to this one; None for nothing.
    """
    run = None
    try:
        request = read(command, args, kept and kept.parser)
        status = instead(request)
        if status is not None:
            return status
        run = assemble(command, args, replaces=replaces, request=request, data=kept and kept.data)
        perform(run)
        if kept is not None:
            kept.data.keep(_origin(request), run.data)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        stopped = _stopped(error, run)
        if stopped in (None, error):
            raise
        raise stopped from error
    leave()
    return None


def assemble(
    command: str,
    args: Sequence[str],
    *,
    replaces: bool = False,
    request: Request | None = None,
    data: KeptData | None = None,
) -> Run:
    """Makes model, data and trainer; nothing is trained yet.

    Args:
        command: The command.
        args: Its arguments.
        replaces: As of `train_or_evaluate`.
        request: What the arguments ask for, once read.
        data: Data sets of earlier runs.
    """
    request = request or read(command, args)
    if command == "fit" and not replaces:
        keep_apart(request, args)
    seed_everything(request.settings.seed_everything, workers=True)
    settings = request.settings if request.earlier is None else request.earlier.going_on(request.settings)
    made = request.parser.instantiate(settings)
    if data is not None:
        made.data = data.take(_origin(request), made.data)
    trainer = _trainer(command, request, made)
    if command == "fit":
        name_runs(trainer, made.data, run_seed())
        claim_run_folder(trainer)
        write_safely(trainer)  # now, as Lightning first of all deletes the metrics of a run that goes on
    checkpoint = {name: made[name] for name in ("ckpt_path", "weights_only")}
    return Run(command, made.model, made.data, trainer, checkpoint)


def perform(run: Run) -> None:
    """Trains or evaluates."""
    methods: dict[str, Callable[..., object]] = {
        "fit": run.trainer.fit,
        "validate": partial(run.trainer.validate, verbose=False),  # `RunReport` prints the rates, with their data
        "test": partial(run.trainer.test, verbose=False),
        "predict": run.trainer.predict,
    }
    with sole_use(run.trainer) if run.command == "fit" else nullcontext():
        if run.command == "fit":
            begin(run.trainer)
        methods[run.command](model=run.model, datamodule=run.data, **run.checkpoint)


def _origin(request: Request) -> Hashable:
    """What decides the data of a run."""
    settings = request.settings
    return repr(settings.data), settings.seed_everything, os.getcwd(), os.environ.get("FLT_DATA")


def _trainer(command: str, request: Request, made: Namespace) -> Trainer:
    """The trainer with the callbacks that every run has."""
    settings = made.trainer.as_dict()
    given = settings["callbacks"] or []
    given = list(given) if isinstance(given, list) else [given]
    if made.trainer.logger is False and not any(isinstance(own, Checkpoint) for own in given):
        settings["enable_checkpointing"] = False  # Lightning's own would go to the working directory
    if command in ("validate", "test"):
        settings["logger"] = False  # an evaluation leaves no files
    callbacks = [*given, *_standard_callbacks(made.trainer, given), made.aggregation, made.attack]
    if not settings["fast_dev_run"]:
        callbacks.append(ConfigWriter(request.parser, request.settings))
    try:
        return Trainer(**{**settings, "callbacks": callbacks})
    except (TypeError, ValueError, ImportError, RuntimeError, MisconfigurationException) as error:
        chosen = ", ".join(f"{name}={settings[name]}" for name in ("accelerator", "devices", "strategy"))
        raise InputError(f"the trainer ({chosen}) cannot be made: {error}") from error


def _standard_callbacks(settings: Namespace, given: list[Callback]) -> list[Callback]:
    """What records and shows a run, less what the user brought or turned off."""
    standard: list[Callback] = [EvaluationMetrics(), Certificates(), MetricsLogger(), RunReport()]
    standard += [WandbReport(), PredictionWriter()]
    if settings.enable_progress_bar is not False:
        standard.insert(0, RoundProgressBar())  # first, so that the finished bar stands above the summary
    wants_checkpoint = settings.enable_checkpointing is not False and settings.logger is not False
    if wants_checkpoint and not any(isinstance(own, Checkpoint) for own in given):
        standard.append(PacedCheckpoint())
    return [callback for callback in standard if not isinstance(callback, tuple(map(type, given)))]


def _stopped(error: BaseException, run: Run | None) -> Stopped | None:
    """What an exception ends a command with, and how a run that has begun goes on; None for a bug."""
    if run is None or run.command != "fit":
        return ending(error, is_early=True)
    folder, remedy, rounds = run_folder(run.trainer), "", run.trainer.global_step
    if folder is not None and (folder / "config.yaml").is_file():
        remedy = f"; {rounds:,} rounds are done, go on with: flt fit --resume {shlex.quote(str(folder))}"
    stopped = ending(error, remedy, folder=folder if remedy else None, is_early=rounds == 0)
    is_told_elsewhere = stopped is not None and stopped.status > 128 and not run.trainer.is_global_zero
    return Stopped("", stopped.status) if stopped is not None and is_told_elsewhere else stopped
