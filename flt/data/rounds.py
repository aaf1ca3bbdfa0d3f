"""What the trainer iterates over: round numbers for training, slices of resident examples for evaluation."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from flt.data.examples import Examples


class Rounds:
    """The round numbers ``0`` to ``num_rounds - 1``: one epoch of it is the whole run.

    It has no state to save. A resumed run takes its round from ``trainer.global_step``, so that neither a loader's
    position nor its prefetching can shift the rounds.

    Args:
        num_rounds: Number of rounds.

    Example:
        >>> list(Rounds(3))
        [0, 1, 2]
    """

    def __init__(self, num_rounds: int) -> None:
        self.num_rounds = num_rounds

    def __len__(self) -> int:
        return self.num_rounds

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.num_rounds))

    def state_dict(self) -> dict[str, Any]:
        """Nothing: see the class."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Does nothing: see the class."""


class Batches:
    """Consecutive slices of examples as ``(features, labels)``, on the device where the examples are.

    Views rather than copies, in a fixed order, without worker processes: the whole set is already in memory.

    Args:
        examples: What to iterate over.
        batch_size: Number of examples in each slice; the last one may be shorter.

    Example:
        >>> import torch
        >>> batches = Batches(Examples(torch.zeros(5, 2), torch.arange(5)), 2)
        >>> len(batches), [labels.tolist() for _, labels in batches]
        (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(self, examples: Examples, batch_size: int) -> None:
        self.examples = examples
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.examples) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.examples), self.batch_size):
            batch = self.examples[start : start + self.batch_size]
            yield batch.features, batch.labels
