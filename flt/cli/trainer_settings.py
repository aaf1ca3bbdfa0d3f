"""Settings of Lightning's trainer that cannot work where a step is a round."""

import os
from typing import Any

import torch
from jsonargparse import Namespace

from flt.errors import InputError
from flt.server.checks.settings import check_precision

ROUNDS, CLIP = "trainer.max_steps is the number of rounds", "clip updates, as the rule NormBoundedMean does"
EVALUATIONS = "trainer.val_check_interval is the number of rounds between evaluations"
TRAINER_REMEDIES = {
    **dict.fromkeys(("max_epochs", "min_epochs", "min_steps", "limit_train_batches", "overfit_batches"), ROUNDS),
    **dict.fromkeys(("gradient_clip_val", "gradient_clip_algorithm"), CLIP),
    "reload_dataloaders_every_n_epochs": "rounds draw their own batches",
    "accumulate_grad_batches": "model.local_steps is the number of batches of a round",
    "check_val_every_n_epoch": EVALUATIONS,
}
"""Settings of Lightning's trainer that mean nothing where a step is a round, and what to use instead."""

NEUTRAL = {
    **dict.fromkeys(("max_epochs", "limit_train_batches")),  # 0 of them is a run without a round
    **dict.fromkeys(("accumulate_grad_batches", "check_val_every_n_epoch"), 1),
}
"""What leaves those settings as if they were left out, beside null; 0 for those that are not here."""

SHARES = {
    **dict.fromkeys(("fit", "validate"), ("limit_val_batches", f"rates are of the whole test set; {EVALUATIONS}")),
    "test": ("limit_test_batches", "rates are of the whole test set"),
    "predict": ("limit_predict_batches", "predictions are of the whole test set"),
}
"""By command: the setting of Lightning's trainer that would leave out examples, and why none is left out."""

COUNTS = {
    "max_steps": "number of rounds",
    "val_check_interval": "number of rounds between evaluations",
    "log_every_n_steps": "number of rounds between logged ones",
}
"""Settings of Lightning's trainer that count rounds."""

MOST_ROUNDS = 2**53
"""How many rounds there may be: numbers that every format in which they are written holds exactly."""


def check_settings(config: Any, command: str) -> None:
    """Raises an `InputError` for settings of a command that cannot work here, before anything is built."""
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
    if command in SHARES:
        name, remedy = SHARES[command]
        given = config.trainer[name]
        if given is not None and (given != 1 or isinstance(given, int)):  # 1.0 is all batches, and 1 is one of them
            raise InputError(f"trainer.{name}={given} would leave out examples: leave it out; {remedy}")
    precision = str(config.trainer.precision)
    if precision in ("16-mixed", "16"):  # which Lightning turns into bf16-mixed on a CPU before anyone can see it
        check_precision(precision)


def _check_rounds(trainer: Any) -> None:
    for name, meaning in COUNTS.items():
        value = trainer[name]
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"trainer.{name}={value} is the {meaning}: give a whole number")
        if not 1 <= value <= MOST_ROUNDS:
            raise InputError(f"trainer.{name}={value} is the {meaning}: set it to 1 or more, and {MOST_ROUNDS} or less")
    for name, remedy in TRAINER_REMEDIES.items():
        if trainer[name] not in (None, NEUTRAL.get(name, 0)):
            raise InputError(f"trainer.{name}={trainer[name]} means nothing here: leave it out; {remedy}")


def _check_loggers(trainer: Any) -> None:
    """Raises an `InputError` for files of a run that are to go elsewhere than to a folder, or never."""
    places = {"trainer.default_root_dir": trainer.default_root_dir}
    for logger in trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]:
        given = vars(logger.init_args) if isinstance(logger, Namespace) and "init_args" in logger else {}
        places |= {f"trainer.logger.{name}": given.get(name) for name in ("save_dir", "dir")}
        interval = given.get("flush_logs_every_n_steps", 1)
        if interval < 1:
            raise InputError(f"trainer.logger.flush_logs_every_n_steps={interval}: set it to 1 or more")
    for name, place in places.items():
        if "://" in str(place):
            raise InputError(f"{name}={place}: a run's files go to a folder of this machine: give one; copy it later")


def _check_processes(trainer: Any) -> None:
    """Raises an `InputError` for more processes than there is a use for; each takes a few hundred megabytes."""
    devices, started = str(trainer.devices), os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_JOB_ID")
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
    cores = os.cpu_count() or 1
    if on_cpu and not started and devices.isdecimal() and int(devices) > max(2, cores):  # two, to try it wherever
        raise InputError(
            f"trainer.devices={devices} are processes, on a machine with {cores} cores: take at most {max(2, cores)}"
        )
    if trainer.num_nodes > 1 and not started and "MASTER_ADDR" not in os.environ:
        raise InputError(
            f"trainer.num_nodes={trainer.num_nodes}: nothing says where the others are; use torchrun or Slurm, or set"
            " MASTER_ADDR, MASTER_PORT and NODE_RANK"
        )
