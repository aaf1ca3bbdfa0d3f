"""Checks of a run's parts against each other, before work starts."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from flt.data.datamodule import FederatedDataModule
from flt.errors import InputError


def check_precision(precision: str) -> None:
    """Raises an `InputError` for a precision in which updates would not be what they seem."""
    if precision not in ("32-true", "bf16-mixed"):
        raise InputError(
            f"trainer.precision={precision} is not supported (its gradient scaler or rounding would change the "
            "updates): use 32-true or bf16-mixed"
        )


def check_network(network: nn.Module, data: FederatedDataModule) -> None:
    """Raises an `InputError` unless ``network`` can be trained on the examples of ``data``."""
    name = f"model.network {type(network).__name__}"
    for module in network.modules():
        kind = type(module).__name__
        if isinstance(module, nn.modules.batchnorm._BatchNorm) or any(True for _ in module.buffers(recurse=False)):
            raise InputError(f"{name} has a {kind} with statistics of its own, which clients cannot train yet")
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
            raise InputError(f"{name} has a {kind}, whose draws could not be repeated: set its p to 0 or leave it out")
    example = data.test.features[:1]
    parameter = next((parameter for parameter in network.parameters() if parameter.requires_grad), None)
    if parameter is None:
        raise InputError(f"{name} has no parameters to train")
    try:
        with torch.no_grad():
            shape = list(network(example.to(parameter.device, parameter.dtype)).shape)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{name} cannot take examples of shape {list(example.shape[1:])}: {reason}") from error
    if shape != [1, data.num_classes]:
        raise InputError(
            f"{name} gives scores of shape {shape} for one example; {data.dataset_name} needs [1, {data.num_classes}]"
        )


def check_state(saved: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raises an `InputError` unless a checkpoint's ``saved`` tensors fit a model's ``own`` by name and shape."""
    for name in sorted(saved.keys() | own.keys()):
        theirs = list(saved[name].shape) if name in saved else "nothing"
        ours = list(own[name].shape) if name in own else "nothing"
        if theirs != ours:
            raise InputError(
                f"the checkpoint is of another model: it has {theirs} where this one has {ours} for {name}; "
                "give the model.network it was trained with"
            )


REMEDIES = {
    "data": "give the data it was trained on",
    "seed": "pass it as --seed_everything",
    "root_size": "its root dataset must stay apart from the clients' data",
    "bias_probability": "its root dataset must stay apart from the clients' data",
    "biased_class": "its root dataset must stay apart from the clients' data",
    "server_optimizer": "its state is of no use to another optimizer",
}


def check_settings_kept(saved: dict[str, Any], own: dict[str, Any], *, training: bool) -> None:
    """Raises an `InputError` for a checkpoint's ``saved`` settings that must not change; warns of others that do.

    Args:
        saved: Settings of the run that wrote the checkpoint.
        own: Settings of this run.
        training: Whether training goes on; an evaluation only minds data and seed.
    """
    changed = [name for name in own if name in saved and saved[name] != own[name]]
    for name in changed:
        if name in REMEDIES and (training or name in ("data", "seed")):
            raise InputError(f"the checkpoint's {name} is {saved[name]}, this run's {own[name]}: {REMEDIES[name]}")
    if training and changed:
        changes = ", ".join(f"{name} {saved[name]} -> {own[name]}" for name in changed)
        rank_zero_warn(f"training goes on with other settings than the checkpoint's: {changes}")


def check_milestones(milestones: list[int], gamma: float, num_rounds: int) -> None:
    """Warns where a learning-rate decay never happens."""
    if not milestones and gamma != 0.9:
        rank_zero_warn(f"model.lr_gamma={gamma} has no effect without model.lr_milestones")
    if milestones and milestones[-1] >= num_rounds:
        rank_zero_warn(f"model.lr_milestones holds {milestones[-1]}, and training ends after {num_rounds} rounds")


def check_settings(config: Any, command: str | None) -> None:
    """Raises an `InputError` for settings of Lightning's that cannot work here, before anything is built.

    Args:
        config: The parsed configuration of a subcommand.
        command: The subcommand, None if nothing is to run.
    """
    seed = config.seed_everything
    if seed is False or seed is None:
        raise InputError(f"seed_everything={seed}: a run needs a seed; give a number, or true for a random one")
    if seed is not True and not 0 <= seed < 2**32:
        raise InputError(f"seed_everything={seed} must be from 0 to {2**32 - 1}")
    for key, nothing in (("aggregation", "FedAvg"), ("attack", "NoAttack")):
        if config[key] is None:
            raise InputError(f"{key}=null: name a class; {nothing} is the plainest")
    for name in ("max_steps", "val_check_interval", "log_every_n_steps") if command == "fit" else ():
        value = config.trainer[name]
        if value is not None and value < 1 and not (name == "val_check_interval" and value > 0):
            meaning = "number of rounds" if name == "max_steps" else "number of rounds between"
            raise InputError(f"trainer.{name}={value} is the {meaning}: set it to 1 or more")
    precision = str(config.trainer.precision)
    if precision in ("16-mixed", "16"):  # which Lightning turns into bf16-mixed on a CPU before anyone can see it
        check_precision(precision)


def check_checkpoint(path: Path, max_steps: int | None) -> None:
    """Raises an `InputError` unless ``path`` is a checkpoint of this package, with rounds left to do.

    Args:
        path: The file.
        max_steps: Rounds asked for, None if the checkpoint is not to be trained any further.
    """
    if not path.is_file():
        raise InputError(f"--ckpt_path {path}: there is no such file")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the unpickler raise anything
        raise InputError(f"--ckpt_path {path} is not a readable checkpoint ({type(error).__name__})") from error
    keys = ("state_dict", "flt", "global_step", "pytorch-lightning_version")
    missing = [key for key in keys if not isinstance(checkpoint, dict) or key not in checkpoint]
    if missing:
        raise InputError(f"--ckpt_path {path} is not a checkpoint of flt: it holds no {missing[0]}")
    if max_steps is not None and 0 < max_steps <= checkpoint["global_step"]:
        raise InputError(
            f"--ckpt_path {path} has done {checkpoint['global_step']} rounds, trainer.max_steps={max_steps}:"
            " nothing is left to do; ask for more rounds"
        )
