"""The W&B runs that a trainer logs to."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, WandbLogger
from lightning.pytorch.utilities import rank_zero_warn

from flt.data.datamodule import FederatedDataModule
from flt.federation import Aggregation, Attack
from flt.federation.plugins import only

SUMMARY = "min,max,last"
ENVIRONMENT = {"name": "WANDB_NAME", "group": "WANDB_RUN_GROUP", "tags": "WANDB_TAGS"}
"""Environment variables of W&B that name a run."""


def wandb_loggers(trainer: Trainer) -> list[WandbLogger]:
    """The trainer's W&B loggers; none in any process but the first, which alone logs."""
    loggers = trainer.loggers if trainer.is_global_zero else []
    return [logger for logger in loggers if isinstance(logger, WandbLogger)]


def name_runs(trainer: Trainer, data: FederatedDataModule, seed: int) -> None:
    """Gives W&B runs that have not begun a name, a group (the runs that differ in their seed alone) and tags.

    What the logger's settings or W&B's environment variables say stays, and so does a run that goes on by its id.

    Args:
        trainer: The trainer, with the rule and the attack among its callbacks.
        data: The data.
        seed: The run's seed.
    """
    rule, attack = only(trainer, Aggregation), only(trainer, Attack)
    words = [data.dataset_name, rule.label if rule else "", attack.label if attack else "NoAttack"]
    words = [word for word in words if word]
    group = " · ".join(words)
    names = {"name": f"{group} · seed {seed}", "group": group, "tags": words}
    for logger in wandb_loggers(trainer):
        arguments = logger._wandb_init  # of wandb.init; W&B lets nobody set the group of a run that has begun
        if arguments.get("id") is None:
            free = [name for name, variable in ENVIRONMENT.items() if variable not in os.environ]
            arguments |= {name: names[name] for name in free if arguments.get(name) is None}


def begin(trainer: Trainer) -> None:
    """Begins the trainer's W&B runs; where W&B refuses the login or cannot be reached, offline, which loses nothing."""
    for logger in wandb_loggers(trainer):
        from wandb.errors import Error  # here, because it takes a second that runs without it need not wait

        try:
            logger.experiment  # noqa: B018  # begins the run
        except Error as error:
            logger._wandb_init["mode"] = "offline"
            folder = Path(logger.experiment.dir).parent
            reason = str(error).splitlines()[0]
            rank_zero_warn(
                f"W&B cannot be used ({reason}): the run is logged offline; upload it later by: wandb sync {folder}"
            )


def define(logger: Logger, names: Collection[str]) -> None:
    """Makes ``round`` the x axis of metrics of a W&B run, whose summary gets their minimum, maximum and last value.

    Args:
        logger: The logger; nothing happens if it is not W&B's.
        names: The metrics.
    """
    if isinstance(logger, WandbLogger):
        (round,) = prefixed(logger, {"round": None})
        for name in prefixed(logger, dict.fromkeys(sorted({*names} - {"round"}))):
            logger.experiment.define_metric(name, step_metric=round, summary=SUMMARY)


def prefixed(logger: WandbLogger, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values under the names that the logger gives them, as its own ``log_metrics`` does."""
    prefix = logger._prefix  # there is no public way to ask for it
    return {f"{prefix}{logger.LOGGER_JOIN_CHAR}{name}" if prefix else name: value for name, value in values.items()}


def last_round(trainer: Trainer, logger: Logger) -> int:
    """The last round that a logger has from before: of a W&B run that is resumed; otherwise -1, as the first is 0.

    Such a run keeps what was logged to it, also of rounds after the checkpoint that training goes on from.
    """
    if not isinstance(logger, WandbLogger) or not trainer.is_global_zero or not logger.experiment.resumed:
        return -1
    (name,) = prefixed(logger, {"round": None})
    last = logger.experiment.summary.get(name)
    return -1 if last is None else int(last)
