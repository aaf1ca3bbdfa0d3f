"""The tensors of a network as arrays of Flower."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from flwr.app import Array, ArrayRecord
from torch import Tensor, nn

from flt.clients.batch_norm import statistics_of
from flt.errors import InputError


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of a network by name, those that it shares once; they are its own."""
    parameters = {name: parameter.data for name, parameter in network.named_parameters()}
    return {**parameters, **dict(network.named_buffers())}


def arrays_of(network: nn.Module) -> ArrayRecord:
    """A network's tensors as the server sends them."""
    return ArrayRecord({name: Array(value.cpu().numpy()) for name, value in tensors_of(network).items()})


def take_arrays(network: nn.Module, arrays: ArrayRecord) -> None:
    """Gives a network the tensors that the server has sent; an `InputError` if they are another network's."""
    take_tensors(network, {name: torch.from_numpy(array.numpy()) for name, array in arrays.items()})


@torch.no_grad()
def take_tensors(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Gives a network tensors of all its names."""
    own = tensors_of(network)
    if own.keys() != values.keys():
        raise InputError("the server's arrays are those of another network: export both apps anew")
    for name, tensor in own.items():
        tensor.copy_(values[name])


def fixed_arrays(network: nn.Module) -> list[str]:
    """Names of the floating-point tensors of a network that nobody trains."""
    moving = statistics_of(network)
    frozen = [name for name, value in network.named_parameters() if not value.requires_grad]
    buffers = [name for name, value in network.named_buffers() if value.is_floating_point() and name not in moving]
    return frozen + buffers
