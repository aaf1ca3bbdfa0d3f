"""The W&B runs that a trainer logs to."""

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, WandbLogger


def wandb_loggers(trainer: Trainer) -> list[WandbLogger]:
    """The trainer's W&B loggers; none in any process but the first, which alone logs."""
    loggers = trainer.loggers if trainer.is_global_zero else []
    return [logger for logger in loggers if isinstance(logger, WandbLogger)]


def prefixed(logger: WandbLogger, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values under the names that the logger gives them, as its own ``log_metrics`` does."""
    prefix = logger._prefix  # there is no public way to ask for it
    return {f"{prefix}{logger.LOGGER_JOIN_CHAR}{name}" if prefix else name: value for name, value in values.items()}


def last_round(trainer: Trainer, logger: Logger) -> int:
    """The last round that a logger has from before: of a W&B run that is resumed, 0 otherwise.

    Such a run keeps what was logged to it, also of rounds after the checkpoint that training goes on from.
    """
    if not isinstance(logger, WandbLogger) or not trainer.is_global_zero or not logger.experiment.resumed:
        return 0
    (name,) = prefixed(logger, {"round": None})
    return int(logger.experiment.summary.get(name) or 0)
