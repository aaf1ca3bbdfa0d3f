"""The loaders of the trainer: round numbers for training, slices of examples in memory for evaluation."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from flt.data.examples import Examples


class Rounds:
    """The round numbers ``0`` to ``num_rounds - 1``: one epoch is the whole run.

    The loader saves no state. A resumed run takes its round from ``trainer.global_step``, so neither the loader's
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
        """An empty state: the class says why."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Ignores ``state_dict``: the class says why."""


class EvaluationBatches:
    """Consecutive slices of examples as ``(features, labels)``, on the device where the examples are.

    The slices are views in a fixed order. The whole set is in memory, so no worker processes load it.

    Args:
        examples: The examples to slice.
        batch_size: Number of examples in each slice; the last one may be shorter.

    Example:
        >>> import torch
        >>> batches = EvaluationBatches(Examples(torch.zeros(5, 2), torch.arange(5)), 2)
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
