"""A network whose trained parameters are one vector."""

from dataclasses import dataclass
from functools import cached_property

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
        """The network's scores with ``tensors``, by name, in the place of its own parameters and buffers."""
        # Not by names alone: a module with two of them would be left with these tensors for good.
        placed = {slot: tensors[name] for slot, name in self._slots.items() if name in tensors}
        scores: Tensor = functional_call(self.network, placed, (features,), tie_weights=False)
        return scores

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
    def _slots(self) -> dict[str, str]:
        """Where in the network each trained parameter and each buffer is used, and its name; a shared one, often."""
        named = {**self.trained, **dict(self.network.named_buffers())}
        names = {id(tensor): name for name, tensor in named.items()}
        slots: dict[str, str] = {}
        for prefix, module in self.network.named_modules():  # each module once, under whatever names it has
            own = (*module.named_parameters("", False, False), *module.named_buffers("", False, False))
            slots |= {f"{prefix}.{name}".lstrip("."): names[id(tensor)] for name, tensor in own if id(tensor) in names}
        return slots
