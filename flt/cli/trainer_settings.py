"""Settings of Lightning's trainer that cannot work where a step is a round."""

import os
from typing import Any

import torch
from jsonargparse import Namespace

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
        _check_loggers(config.trainer)
        _check_checkpoints(config.trainer)
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


def _check_loggers(trainer: Any) -> None:
    """Raises an `InputError` for files of a run that are to go elsewhere than to a folder, or never."""
    given = {"trainer.default_root_dir": trainer.default_root_dir}
    for logger in _listed(trainer.logger):
        arguments = _arguments(logger)
        given |= {f"trainer.logger.{name}": arguments.get(name) for name in ("save_dir", "dir")}
        interval = arguments.get("flush_logs_every_n_steps")
        if interval is not None and interval < 1:
            raise InputError(f"trainer.logger.flush_logs_every_n_steps={interval}: set it to 1 or more")
    for name, place in given.items():
        if "://" in str(place):
            raise InputError(f"{name}={place}: a run's files go to a folder of this machine: give one; copy it later")


def _check_checkpoints(trainer: Any) -> None:
    """Raises an `InputError` for two checkpoint callbacks whose states Lightning could not tell apart."""
    names = ("monitor", "mode", "every_n_train_steps", "every_n_epochs", "train_time_interval")  # as Lightning tells
    seen = []
    for callback in _listed(trainer.callbacks):
        arguments = _arguments(callback)
        state = [callback.class_path, *(arguments.get(name) for name in names)]
        if callback.class_path.endswith(".ModelCheckpoint") and state in seen:
            raise InputError(
                f"trainer.callbacks holds two ModelCheckpoint with monitor={arguments.get('monitor')}: give them"
                f" different {', '.join(names[:-1])}, or keep one, with save_top_k and save_last"
            )
        seen.append(state)


def _listed(given: Any) -> list[Namespace]:
    """Loggers or callbacks in a configuration that are named by their class, one or several."""
    return [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, Namespace)]


def _arguments(named: Namespace) -> dict[str, Any]:
    return dict(vars(named.get("init_args") or named))


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
