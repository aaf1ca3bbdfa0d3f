"""Initial weights of a network."""

from typing import Literal

import torch
from torch import nn

Initialization = Literal["network", "xavier"]


def initialize(network: nn.Module, initialization: Initialization, *, generator: torch.Generator) -> None:
    """Sets the network's weights in place.

    Args:
        network: The network.
        initialization: "network" leaves the weights as the network's constructor made them; "xavier" draws every
            weight of two or more dimensions uniformly from ``+-sqrt(2.24 / fan_avg)``, as the authors' code does, and
            sets every other trainable vector called ``bias`` to zero.
        generator: Source of the draws, on the CPU.
    """
    if initialization == "network":
        return
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim >= 2:
                receptive_field = parameter[0, 0].numel()
                fan_average = (parameter.shape[0] + parameter.shape[1]) * receptive_field / 2
                bound = (2.24 / fan_average) ** 0.5
                parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
            elif name.split(".")[-1] == "bias":
                parameter.zero_()
