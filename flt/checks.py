"""Checks of a run's parts against each other, before work starts."""

import torch
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
    if any(True for _ in network.buffers()):
        raise InputError(f"{type(network).__name__} has buffers (BatchNorm?), which local training does not support")
    example = data.test.features[:1]
    parameter = next(network.parameters(), None)
    if parameter is None:
        raise InputError(f"{type(network).__name__} has no parameters to train")
    try:
        with torch.no_grad():
            shape = list(network(example.to(parameter.device, parameter.dtype)).shape)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"model.network {type(network).__name__} cannot take examples of shape {list(example.shape[1:])}: {reason}"
        ) from error
    if shape != [1, data.num_classes]:
        raise InputError(
            f"model.network {type(network).__name__} gives scores of shape {shape} for one example; "
            f"{data.dataset_name} needs [1, {data.num_classes}]"
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
