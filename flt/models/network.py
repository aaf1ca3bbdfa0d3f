"""What counts as a network."""

from abc import ABCMeta
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    Network = nn.Module
else:

    class _AnyModule(ABCMeta):
        def __subclasscheck__(cls, subclass: type[Any]) -> bool:
            return issubclass(subclass, nn.Module) if cls is Network else super().__subclasscheck__(subclass)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, nn.Module) if cls is Network else super().__instancecheck__(instance)

    class Network(nn.Module, metaclass=_AnyModule):
        """Any `torch.nn.Module` from features, ``[n, *shape]``, to class scores, ``[n, num_classes]``.

        The networks of this package derive from it, so that the command line's help lists those alone and not the 600
        modules of torch, every one of which it accepts all the same.

        Attributes:
            calls_only_layers: Whether ``forward`` does nothing but call the network's layers, each in a way that treats
                examples one by one; see `flt.clients.layerwise`.
        """

        calls_only_layers: bool = False
