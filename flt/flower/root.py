"""The server as one more client: training on the root dataset inside a Flower ServerApp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from flt.clients.batches import take_batches, whole
from flt.clients.draws import RowDraws
from flt.clients.loss import LossReduction
from flt.clients.one_by_one import LocalUpdates
from flt.clients.steps.settings import LocalSettings
from flt.clients.training import LocalTraining
from flt.errors import InputError, check_count, check_positive
from flt.federation import Server
from flt.random import generator

Train = Callable[[Mapping[str, Tensor], int], Mapping[str, Tensor]]
"""From the global model's state, tensors by name, and the round, counted from 0, to the state after training."""


@runtime_checkable
class Root(Protocol):
    """The server's own training, as exact as it is made: without a difference of weights."""

    def update(self, state: Mapping[str, Tensor], number: int) -> LocalUpdates:
        """By how much training on the root dataset changes the model, in one row.

        Args:
            state: The global model's tensors by name.
            number: The round, counted from 0.
        """


@runtime_checkable
class RootServer(Root, Protocol):
    """The same where the server also computes what some rules ask of its data."""

    def server(self, state: Mapping[str, Tensor], number: int) -> Server:
        """What a round's rule can ask; arguments as for `update`."""


class RootTraining:
    """Trains a network on the server's root dataset with gradient steps, as clients of the simulator do.

    Args:
        network: The global model's network; its tensors are set from what the server sends.
        features: The root dataset as the network sees it, shape ``[num_examples, *shape]``.
        labels: Its classes, shape ``[num_examples]``.
        client_lr: Learning rate, which should be the clients'.
        local_steps: Steps in a round, as many as clients take.
        batch_size: Examples in a step; None for all.
        loss_reduction: Whether the loss is the "sum" or the "mean" over a batch.
        seed: Decides the batches.

    Raises:
        InputError: If an argument is out of range.

    Example:
        >>> network = nn.Linear(2, 2)
        >>> root = RootTraining(network, torch.ones(4, 2), torch.zeros(4).long(), client_lr=0.1)
        >>> root.update(network.state_dict(), 0).updates.shape
        torch.Size([1, 6])
    """

    def __init__(
        self,
        network: nn.Module,
        features: Tensor,
        labels: Tensor,
        *,
        client_lr: float,
        local_steps: int = 1,
        batch_size: int | None = None,
        loss_reduction: LossReduction = "mean",
        seed: int = 0,
    ) -> None:
        check_positive("client_lr", client_lr)
        check_count("local_steps", local_steps)
        check_count("batch_size", batch_size)
        if not len(labels) or len(labels) != len(features):
            raise InputError(f"{len(features)} features and {len(labels)} labels: give one label for each root example")
        self.features, self.labels, self.client_lr, self.seed = features, labels, client_lr, seed
        self.local_steps = local_steps
        size = None if batch_size is None else min(batch_size, len(labels))
        start, all_of_them = torch.tensor([0]), torch.tensor([len(labels)])
        self._draw = None if size is None else RowDraws(start, all_of_them, local_steps=local_steps, batch_size=size)
        self._training = LocalTraining(network, LocalSettings(loss_reduction))

    @property
    def num_examples(self) -> int:
        """Size of the root dataset."""
        return len(self.labels)

    def update(self, state: Mapping[str, Tensor], number: int) -> LocalUpdates:
        """By how much training changes the model."""
        self._training.network.load_state_dict(dict(state))
        if self._draw is None:
            batches = whole(self.features, self.labels, local_steps=self.local_steps)
        else:
            rows = self._draw(generator(self.seed, "root batches", number))
            batches = take_batches(self.features, self.labels, rows)
        with torch.enable_grad():
            return self._training(batches, client_lr=self.client_lr)
