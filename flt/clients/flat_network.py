"""A network whose trained parameters are one vector."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class FlatNetwork:
    """A network as a function of its parameters.

    Args:
        network: Its architecture and, where no others are given, its tensors. Parameters with ``requires_grad=False``
            stay as they are and are no part of the vector.
    """

    network: nn.Module

    def flatten(self) -> Tensor:
        """The network's own parameters as one vector, shape ``[num_params]``, detached."""
        return torch.cat([parameter.detach().flatten() for parameter in self.trained.values()])

    def unflatten(self, vector: Tensor) -> dict[str, Tensor]:
        """The flat ``vector``, shape ``[num_params]``, as a dictionary of named parameters (views)."""
        pieces = vector.split_with_sizes(self._sizes)
        named = zip(self.trained.items(), pieces, strict=True)
        return {name: piece.view_as(parameter) for (name, parameter), piece in named}

    def scores(self, tensors: dict[str, Tensor], features: Tensor) -> Tensor:
        """Computes the network's scores with ``tensors``, by name, in the place of its own parameters and buffers."""
        scores: Tensor = self.work_with(tensors, lambda network: network(features))
        return scores

    def work_with(self, tensors: dict[str, Tensor], work: Callable[[nn.Module], Any]) -> Any:
        """Returns what ``work`` computes while the network has ``tensors``, by name, in the place of its own."""
        # Not by names alone: a module with two of them would be left with these tensors for good.
        placed = {f"network.{place}": tensors[name] for place, name in self._places.items() if name in tensors}
        return functional_call(self._holder, placed, (work,), tie_weights=False)

    @cached_property
    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that are trained, by name."""
        return {name: weight for name, weight in self.network.named_parameters() if weight.requires_grad}

    @cached_property
    def num_params(self) -> int:
        """Length of the vector."""
        return sum(self._sizes)

    @cached_property
    def _sizes(self) -> list[int]:
        return [parameter.numel() for parameter in self.trained.values()]

    @cached_property
    def _holder(self) -> nn.Module:
        return _Holder(self.network)

    @cached_property
    def _places(self) -> dict[str, str]:
        """Maps each place of a trained parameter or buffer ("block1.conv.weight") to the name the tensor has.

        A shared tensor has several places and one name.
        """
        named = {**self.trained, **dict(self.network.named_buffers())}
        names = {id(tensor): name for name, tensor in named.items()}
        places: dict[str, str] = {}
        for prefix, module in self.network.named_modules():  # each module once, under whatever names it has
            own = (*module.named_parameters("", False, False), *module.named_buffers("", False, False))
            places |= {f"{prefix}.{name}".lstrip("."): names[id(tensor)] for name, tensor in own if id(tensor) in names}
        return places


class _Holder(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, work: Callable[[nn.Module], Any]) -> Any:
        return work(self.network)
