"""What a checkpoint must have in common with the run that goes on from it."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import InputError


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
    "root_path": "its root dataset must stay apart from the clients' data",
    "normalize": "the model was trained on inputs of that kind (data.inputs.normalize)",
    "server_optimizer": "its state is of no use to another optimizer",
}


def check_settings_kept(saved: dict[str, Any], own: dict[str, Any], *, training: bool) -> None:
    """Raises an `InputError` for a checkpoint's ``saved`` settings that must not change; warns of others that do.

    Args:
        saved: Settings of the run that wrote the checkpoint.
        own: Settings of this run.
        training: Whether training goes on; an evaluation only minds data, seed and normalisation.
    """
    changed = [name for name in own if name in saved and saved[name] != own[name]]
    for name in changed:
        if name in REMEDIES and (training or name in ("data", "seed", "normalize")):
            raise InputError(f"the checkpoint's {name} is {saved[name]}, this run's {own[name]}: {REMEDIES[name]}")
    if training and changed:
        changes = ", ".join(f"{name} {saved[name]} -> {own[name]}" for name in changed)
        rank_zero_warn(f"training goes on with other settings than the checkpoint's: {changes}")


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
