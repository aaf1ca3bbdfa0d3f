"""Checkpoint files: what they hold, and reading one."""

import warnings
from pathlib import Path
from typing import Any

import torch
from packaging.version import InvalidVersion, Version

from flt.errors import InputError
from flt.runs.schema import (
    Kind,
    Mismatch,
    all_of,
    anything,
    check,
    count,
    fields,
    json_text,
    list_of,
    mapping,
    mapping_of,
    number,
    optional,
    plain,
    text,
)
from flt.runs.states import dense, memory, state

SETTINGS = "flt_config"
"""What a checkpoint calls the settings of the command line that made it, in JSON."""

WANDB_IDS = "flt_wandb_ids"
"""What a checkpoint calls the ids of the runs on W&B that are to go on, one for each logger; None for all others."""

FORGOTTEN = "flt_forgotten"
"""What a checkpoint calls the classes of plug-ins whose tensors are not in it."""

CHUNKS = "flt_clients_per_chunk"
"""What a checkpoint calls the numbers of clients trained at once that were measured to be fastest."""

MEMORY = "flt_memory"
"""What a checkpoint calls the memories of plug-ins."""

CLIENTS = "flt_kept_by_clients"
"""What a checkpoint calls what every client keeps from round to round for its steps."""

OLDEST = Version("2.6.0.dev0")
"""The oldest Lightning that this package has run with."""


def _version(value: Any, place: str) -> None:
    text(value, place)
    try:
        is_known = OLDEST <= Version(value) < Version("1000")
    except InvalidVersion:
        is_known = False
    if not is_known:
        raise Mismatch(f"{place} is {value[:40]!r}, not a version of Lightning from 2.6 on")


_SCALER = dict.fromkeys(("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"), number)
_KEPT = dict.fromkeys(("data", "seed", "normalize"), plain)
_KEPT_IN_TRAINING = dict.fromkeys(
    ("root_size", "bias_probability", "biased_class", "root_path", "server_optimizer"), plain
)
_OPTIMIZER = fields({"state": all_of(mapping, state), "param_groups": list_of(fields({"params": list_of(count)}))})
_CALLBACKS = mapping_of(all_of(mapping, state))
_FURTHER = {
    "callbacks": _CALLBACKS,
    "loops": mapping,
    CHUNKS: mapping_of(count),
    SETTINGS: json_text(mapping_of(plain)),
    WANDB_IDS: list_of(optional(text)),
    FORGOTTEN: list_of(text),
    MEMORY: mapping_of(memory),
    CLIENTS: state,
    "MixedPrecision": fields(_SCALER),
}

TRAINED: Kind = fields(
    {
        "pytorch-lightning_version": _version,
        "epoch": count,
        "global_step": count,
        "state_dict": mapping_of(dense),
        "flt": fields(_KEPT),
    },
    _FURTHER,
)
"""What a checkpoint must hold for an evaluation."""

GOES_ON: Kind = fields(
    {
        "loops": fields({"fit_loop": mapping_of(anything)}),
        "callbacks": _CALLBACKS,
        "optimizer_states": list_of(_OPTIMIZER, length=1),
        "lr_schedulers": list_of(mapping, length=0),
        "flt": fields(_KEPT_IN_TRAINING),
    }
)
"""What it must hold on top of that for training to go on."""


def check_content(checkpoint: Any, *, training: bool) -> None:
    """Raises a `Mismatch` unless a checkpoint holds what this package writes, as far as one can tell without the run.

    Args:
        checkpoint: What was read.
        training: Whether training is to go on from it.
    """
    check(checkpoint, all_of(state, TRAINED))
    check(checkpoint["flt"], mapping_of(plain), "flt")
    if training:
        check(checkpoint, GOES_ON)


def read_checkpoint(path: Path, source: str, remedy: str = "", *, training: bool = True) -> dict[str, Any]:
    """The content of a checkpoint of this package.

    Args:
        path: The file.
        source: What the user gave, to name in errors.
        remedy: What to do about a file that is none, to add to errors.
        training: Whether training is to go on from it.

    Raises:
        InputError: If it is none.
    """
    if path.is_dir():
        raise InputError(f"{source} is a folder: name the file, such as runs/.../checkpoints/last.ckpt")
    if not path.is_file():
        raise InputError(f"{source}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about kinds of tensors that are refused below
            checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the unpickler raise anything
        raise InputError(f"{source} is not a readable checkpoint ({type(error).__name__}){remedy}") from error
    try:
        check_content(checkpoint, training=training)
    except Mismatch as error:
        raise InputError(f"{source} is not a checkpoint of flt, or is damaged: {error}{remedy}") from error
    return checkpoint


def check_checkpoint(path: Path, max_steps: int | None) -> None:
    """Raises an `InputError` unless ``path`` is a checkpoint of this package, with rounds left to do.

    Args:
        path: The file.
        max_steps: Rounds asked for, None if the checkpoint is not to be trained any further.
    """
    checkpoint = read_checkpoint(path, f"--ckpt_path {path}", OTHER, training=max_steps is not None)
    done = checkpoint["global_step"]
    if max_steps is not None and 0 < max_steps <= done:
        raise InputError(
            f"--ckpt_path {path} has done {done} rounds, trainer.max_steps={max_steps}:"
            " nothing is left to do; ask for more rounds"
        )


OTHER = ": give another checkpoint"
"""The remedy for a damaged checkpoint that a user named."""

REMOVE = ": remove it, and the run goes on from an older one or begins anew"
"""The remedy for a damaged checkpoint in the folder of the run that goes on."""
