"""Settings of Lightning's trainer that cannot work where a step is a round."""

import os
from typing import Any

import torch

from flt.errors import InputError
from flt.server.checks import check_precision

TRAINER_REMEDIES = {
    "max_epochs": "trainer.max_steps is the number of rounds",
    "min_epochs": "trainer.max_steps is the number of rounds",
    "min_steps": "trainer.max_steps is the number of rounds",
    "limit_train_batches": "trainer.max_steps is the number of rounds",
    "overfit_batches": "trainer.max_steps is the number of rounds",
    "reload_dataloaders_every_n_epochs": "rounds draw their own batches",
    "accumulate_grad_batches": "model.local_steps is the number of batches of a round",
    "gradient_clip_val": "clip updates, as the rule NormBoundedMean does",
    "gradient_clip_algorithm": "clip updates, as the rule NormBoundedMean does",
}
"""Settings of Lightning's trainer that mean nothing where a step is a round, and what to use instead."""

MOST_ROUNDS = 2**53
"""How many rounds there may be: numbers that every format in which they are written holds exactly."""


def check_settings(config: Any, command: str | None) -> None:
    """Raises an `InputError` for settings of Lightning's that cannot work here, before anything is built.

    Args:
        config: The parsed configuration of a subcommand.
        command: The subcommand, None if nothing is to run.
    """
    seed = config.seed_everything
    if seed is None or isinstance(seed, bool):  # Lightning's true is seed 0
        raise InputError(f"seed_everything={seed}: a run needs a seed that can be given again; give a number")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed_everything={seed} must be from 0 to {2**32 - 1}")
    for key, nothing in (("aggregation", "FedAvg"), ("attack", "NoAttack")):
        if config[key] is None:
            raise InputError(f"{key}=null: name a class; {nothing} is the plainest")
    if command == "fit":
        _check_rounds(config.trainer)
        _check_processes(config.trainer)
    precision = str(config.trainer.precision)
    if precision in ("16-mixed", "16"):  # which Lightning turns into bf16-mixed on a CPU before anyone can see it
        check_precision(precision)


def _check_rounds(trainer: Any) -> None:
    meanings = {
        "max_steps": "number of rounds",
        "val_check_interval": "number of rounds between evaluations",
        "log_every_n_steps": "number of rounds between logged ones",
    }
    for name, meaning in meanings.items():
        value = trainer[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(f"trainer.{name}={value} is the {meaning}: give a whole number")
        if value is not None and value < 1 and not (name == "val_check_interval" and value > 0):
            raise InputError(f"trainer.{name}={value} is the {meaning}: set it to 1 or more")
        if value is not None and value > MOST_ROUNDS:
            raise InputError(f"trainer.{name}={value} is the {meaning}: set it to {MOST_ROUNDS} or less")
    for name, remedy in TRAINER_REMEDIES.items():
        if trainer[name] not in (None, 1 if name == "accumulate_grad_batches" else 0):
            raise InputError(f"trainer.{name}={trainer[name]} means nothing here: leave it out; {remedy}")


def _check_processes(trainer: Any) -> None:
    """Raises an `InputError` for more processes than there is a use for; each takes a few hundred megabytes."""
    devices, started = str(trainer.devices), os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_JOB_ID")
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
    most = max(2, os.cpu_count() or 1)  # two are enough to try it, wherever
    if on_cpu and not started and devices.isdecimal() and int(devices) > most:
        raise InputError(
            f"trainer.devices={devices} are processes, on a machine with {os.cpu_count()} cores: take at most {most}"
        )
    if trainer.num_nodes > 1 and not started and "MASTER_ADDR" not in os.environ:
        raise InputError(
            f"trainer.num_nodes={trainer.num_nodes}: nothing says where the others are; use torchrun or Slurm, or set"
            " MASTER_ADDR, MASTER_PORT and NODE_RANK"
        )
