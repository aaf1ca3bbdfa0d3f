"""The part of a network before one of its layers."""

from typing import Any

from torch import Tensor, nn

from flt.errors import InputError


class Encoder(nn.Module):
    """A network that gives what one of its layers is given, in the place of class scores.

    Its parameters are the network's, all of them and in the same order.

    Args:
        network: The network.
        layer: The layer's name in it.

    Raises:
        InputError: If there is none of this name; when called, if the network never calls it.

    Example:
        >>> import torch
        >>> Encoder(nn.Sequential(nn.ReLU(), nn.Linear(2, 5)), "1")(torch.tensor([[-1.0, 3.0]]))
        tensor([[0., 3.]])
    """

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        if layer not in dict(network.named_modules()):
            raise InputError(f"before={layer!r}: the network has no layer of this name")
        self.network = network
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        """What the layer is given, shape ``[num_examples, width]``."""
        caught: list[Tensor] = []

        def catch(module: nn.Module, given: Any) -> None:
            caught[:] = given[:1]

        hook = self.network.get_submodule(self.layer).register_forward_pre_hook(catch)
        try:
            self.network(features)
        finally:
            hook.remove()
        if not caught:
            raise InputError(f"before={self.layer!r}: the network does not call this layer")
        return caught[0].flatten(1)
