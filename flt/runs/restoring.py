"""Whether a checkpoint fits the run that is to go on from it; all of it is looked at before anything is restored."""

import copy
import inspect
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from flt.errors import InputError
from flt.runs.checkpoints import OTHER, REMOVE, check_content
from flt.runs.differences import differences, listed
from flt.runs.folder import run_folder
from flt.runs.schema import Mismatch, check, fields, list_of, mapping
from flt.runs.states import like


@contextmanager
def naming_checkpoint(trainer: Trainer) -> Iterator[None]:
    """Lets errors name the trainer's checkpoint; turns a `Mismatch` into an `InputError` that says what to do."""
    path = Path(str(trainer.ckpt_path))
    try:
        yield
    except Mismatch as error:
        remedy = REMOVE if _goes_on_in_place(trainer, path) else OTHER
        raise InputError(f"{path} is damaged: {error}{remedy}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _goes_on_in_place(trainer: Trainer, checkpoint: Path) -> bool:
    folder = run_folder(trainer)
    return folder is not None and checkpoint.absolute().is_relative_to(folder.absolute())


def check_fits(
    checkpoint: Mapping[str, Any], trainer: Trainer, state: dict[str, Tensor], settings: dict[str, Any]
) -> None:
    """Raises an `InputError` or a `Mismatch` unless a run can go on from a checkpoint, but for its optimizer.

    Args:
        checkpoint: The checkpoint's content.
        trainer: The trainer, about to run.
        state: The tensors of the run's model.
        settings: Settings of the run.
    """
    is_training = trainer.state.fn == "fit"
    check_content(checkpoint, training=is_training)
    check_state(checkpoint["state_dict"], state)
    check_settings_kept(checkpoint["flt"], settings, training=is_training)
    check_loops(checkpoint, trainer)
    check_callback_states(checkpoint, trainer)


# Model and settings


def check_state(saved: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raises an `InputError` unless a checkpoint's ``saved`` tensors fit a model's ``own`` by name, shape and kind."""
    for name in sorted(saved.keys() | own.keys()):
        theirs, ours = (_described(tensors.get(name)) for tensors in (saved, own))
        if theirs != ours:
            raise InputError(
                f"the checkpoint is of another model: it has {theirs} where this one has {ours} for {name}; "
                "give the model.network it was trained with"
            )


def _described(tensor: Tensor | None) -> str:
    """The shape of a tensor, and that it holds whole numbers or truth values if it does."""
    if tensor is None:
        return "nothing"
    kind = "" if tensor.is_floating_point() else f" {str(tensor.dtype).removeprefix('torch.')}"
    return f"{list(tensor.shape)}{kind}"


_APART = "its root dataset must stay apart from the clients' data"
REMEDIES = {
    "data": "give the data it was trained on",
    "seed": "pass it as --seed_everything",
    "data.seed": "pass it as --data.seed",
    "validation_fraction": "its validation set must stay apart from the clients' data",
    "long_tail": "give the data it was trained on",
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
    minded = REMEDIES if training else ("data", "seed", "data.seed", "normalize")
    refused = [each for each in changed if each.setting in minded]
    if refused:
        remedies = "; ".join(dict.fromkeys(REMEDIES[each.setting] for each in refused))
        raise InputError(f"the checkpoint is of another run ({listed(refused, 'checkpoint')}): {remedies}")
    if training and changed:
        rank_zero_warn(f"training goes on with other settings than the checkpoint's: {listed(changed, 'checkpoint')}")


# Lightning's part


def check_loops(checkpoint: Mapping[str, Any], trainer: Trainer) -> None:
    """Raises a `Mismatch` unless the progress of the trainer's loop can be restored from a checkpoint.

    Args:
        checkpoint: The checkpoint's content.
        trainer: The trainer, about to run.
    """
    assert trainer.state.fn is not None, "a checkpoint is restored by fit, validate, test or predict"
    name = f"{trainer.state.fn.value}_loop"
    if "loops" not in checkpoint:  # an evaluation begins at the first batch anyway
        return
    kind = fields({name: like(getattr(trainer, name).state_dict())})
    check(checkpoint["loops"], kind, "loops")
    if name == "fit_loop":
        loop, place = checkpoint["loops"][name], f"loops.{name}"
        loaders = {"combined_loader": list_of(mapping, length=1)}  # of the one loader, which counts rounds
        check(loop, fields({"state_dict": fields({}, loaders)}), place)
        done = loop["epoch_loop.manual_optimization.optim_step_progress"]["total"]["completed"]
        if done != checkpoint["global_step"]:
            raise Mismatch(f"{place} has done {done} rounds, global_step is {checkpoint['global_step']}")


def check_optimizer(
    saved: Mapping[str, Any], parameters: Iterable[Tensor], make: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
) -> None:
    """Raises a `Mismatch` unless an optimizer takes a step from a ``saved`` state; tried on copies of the parameters.

    Args:
        saved: The optimizer's state in the checkpoint.
        parameters: What it optimizes.
        make: Makes such an optimizer of parameters.
    """
    copies = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    optimizer = make(copies)
    groups = list_of(fields({}), length=len(optimizer.param_groups))
    check(saved["param_groups"], groups, "optimizer_states[0].param_groups")
    kinds = [{name: like(value, complete=False) for name, value in _plain(group)} for group in optimizer.param_groups]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.load_state_dict(copy.deepcopy(dict(saved)))
            for number, (group, kind) in enumerate(zip(optimizer.param_groups, kinds, strict=True)):
                check(group, fields(kind), f"optimizer_states[0].param_groups[{number}]")
            for parameter in copies:
                parameter.grad = torch.zeros_like(parameter)
            for group in optimizer.param_groups:
                _make_anew(type(optimizer), group)
            optimizer.step()
    except Mismatch:
        raise
    except Exception as error:  # torch's own, or that of a user's optimizer
        raise Mismatch(f"optimizer_states[0] cannot be restored ({_in_one_line(error)})") from error


def _make_anew(kind: type[torch.optim.Optimizer], group: Mapping[str, Any]) -> None:
    """Makes an optimizer with a group's settings: its constructor refuses those out of range, loading them does not."""
    needed = inspect.signature(kind).parameters
    if all(name in group or each.default is not each.empty for name, each in needed.items()):  # else it is a user's own
        kind(**{name: group[name] for name in needed if name in group})


def _plain(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries of a parameter group that have a value: a switch that is null may be set."""
    return ((name, value) for name, value in group.items() if name != "params" and value is not None)


def check_callback_states(checkpoint: Mapping[str, Any], trainer: Trainer) -> None:
    """Raises a `Mismatch` unless every callback takes its state from a checkpoint; tried on copies of the callbacks.

    Args:
        checkpoint: The checkpoint's content.
        trainer: The trainer, about to run.
    """
    states = checkpoint.get("callbacks", {})  # an evaluation restores them as well, if they are there
    is_new = trainer.state.fn != "fit" or not _goes_on_in_place(trainer, Path(str(trainer.ckpt_path)))
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        own, key = callback.state_dict(), callback.state_key
        if own and not states.get(key) and not is_new and checkpoint["global_step"]:
            raise Mismatch(f"callbacks has no {key}")
        if states.get(key):
            _check_callback(callback, states[key], own)


def _check_callback(callback: Callback, saved: Any, own: Any) -> None:
    place = f"callbacks.{type(callback).__name__}"
    check(saved, like(own, complete=False) if own else fields({}), place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _trial_of(callback).load_state_dict(copy.deepcopy(saved))
    except Exception as error:  # a callback of a user's may raise anything
        raise Mismatch(f"{place} cannot be restored ({_in_one_line(error)})") from error


def _trial_of(callback: Callback) -> Callback:
    """A copy of a callback that may be given any state, with containers and tensors of its own."""
    trial = copy.copy(callback)
    for name, value in vars(callback).items():
        if isinstance(value, dict | list | set | deque | Tensor):
            with suppress(Exception):  # such as of an open file in it: what cannot be copied is no state
                setattr(trial, name, copy.deepcopy(value))
    return trial


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
