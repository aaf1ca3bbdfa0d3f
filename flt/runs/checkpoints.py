"""What a checkpoint must have in common with the run that goes on from it."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.errors import InputError
from flt.runs.differences import differences, listed


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


_APART = "its root dataset must stay apart from the clients' data"
REMEDIES = {
    "data": "give the data it was trained on",
    "seed": "pass it as --seed_everything",
    "root_size": _APART,
    "bias_probability": _APART,
    "biased_class": _APART,
    "root_path": _APART,
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
    changed = list(differences(saved, own))
    minded = REMEDIES if training else ("data", "seed", "normalize")
    refused = [each for each in changed if each.setting in minded]
    if refused:
        remedies = "; ".join(dict.fromkeys(REMEDIES[each.setting] for each in refused))
        raise InputError(f"the checkpoint is of another run ({listed(refused, 'checkpoint')}): {remedies}")
    if training and changed:
        rank_zero_warn(f"training goes on with other settings than the checkpoint's: {listed(changed, 'checkpoint')}")


def read_checkpoint(path: Path, source: str, remedy: str = "") -> dict[str, Any]:
    """The content of a checkpoint of this package.

    Args:
        path: The file.
        source: What the user gave, to name in errors.
        remedy: What to do about a file that is none, to add to errors.

    Raises:
        InputError: If it is none.
    """
    if not path.is_file():
        raise InputError(f"{source}: there is no such file")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the unpickler raise anything
        raise InputError(f"{source} is not a readable checkpoint ({type(error).__name__}){remedy}") from error
    keys = ("state_dict", "flt", "global_step", "pytorch-lightning_version")
    missing = [key for key in keys if not isinstance(checkpoint, dict) or key not in checkpoint]
    if missing:
        raise InputError(f"{source} is not a checkpoint of flt: it holds no {missing[0]}{remedy}")
    found: dict[str, Any] = checkpoint
    return found


def check_checkpoint(path: Path, max_steps: int | None) -> None:
    """Raises an `InputError` unless ``path`` is a checkpoint of this package, with rounds left to do.

    Args:
        path: The file.
        max_steps: Rounds asked for, None if the checkpoint is not to be trained any further.
    """
    done = read_checkpoint(path, f"--ckpt_path {path}")["global_step"]
    if max_steps is not None and 0 < max_steps <= done:
        raise InputError(
            f"--ckpt_path {path} has done {done} rounds, trainer.max_steps={max_steps}:"
            " nothing is left to do; ask for more rounds"
        )
