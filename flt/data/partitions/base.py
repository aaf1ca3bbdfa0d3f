"""What every partition does: it says which client owns which training example."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from flt.errors import InputError


class Partition(ABC):
    """Deals out examples to clients."""

    @abstractmethod
    def assign(self, labels: Tensor, *, num_clients: int, num_classes: int, generator: torch.Generator) -> Tensor:
        """The client of each example. Every example has exactly one client; a client may have no examples.

        Args:
            labels: Classes counted from 0, int64 of shape ``[num_examples]``.
            num_clients: Number of clients, at least 1.
            num_classes: Number of classes M.
            generator: Source of all draws, on the CPU.

        Returns:
            Int64 in ``[0, num_clients)``, of shape ``[num_examples]``.

        Raises:
            InputError: If the examples cannot be dealt out to so many clients in this way.
        """

    def describe(self) -> str:
        """The partition's name and settings in words."""
        settings = [f"{name} {value}" for name, value in vars(self).items() if not name.startswith("_")]
        return ", ".join([type(self).__name__, *settings])


def check_labels(labels: Tensor, num_classes: int) -> None:
    """Raises an `InputError` for a label outside ``[0, num_classes)``."""
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise InputError(
            f"labels range from {int(labels.min())} to {int(labels.max())} with num_classes={num_classes}:"
            f" they must lie between 0 and {num_classes - 1}"
        )
