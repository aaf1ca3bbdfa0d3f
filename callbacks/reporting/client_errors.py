"""The error of the global model for each client: its mean, its worst tenth and its spread over the benign clients."""

from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from callbacks.reporting.evaluation import GroupErrors, log_finite
from flt.data.datamodule import data_of
from flt.data.examples import Examples
from flt.data.rounds import EvaluationBatches
from flt.display.overview import class_counts
from flt.errors import InputError, check_choice
from flt.federation.plugins import callbacks_of
from flt.module import FederatedModule

CLIENT_ERRORS = ("client_error_mean", "client_error_worst_tenth", "client_error_spread")

ExamplesOfClients = Literal["training", "test"]
"""What each client's error is measured on."""


class ClientErrors(Callback):
    """Adds the global model's errors for the benign clients to each evaluation during training.

    ``client_error_mean`` is the mean of the clients' error rates, ``client_error_worst_tenth`` the mean over the tenth
    of the clients with the highest ones, and ``client_error_spread`` their standard deviation. Clients that a schedule
    draws anew as malicious in some rounds count as benign ones.

    Args:
        on: "training" is each client's own training examples, as they were before any attack, which takes a forward
            pass over the data of all clients. "test" is the client's own test examples where the data set knows whose
            they are (HAR); elsewhere test examples with the labels of the client's training data: the error of each
            class on the test set, weighted by the client's share of that class. It takes nothing that the evaluation
            has not computed.

    Reading:
        In the field each client gets a test set of its own, which is split as the training data are (FedLab, Blades,
        pFL-bench). What such a split by labels gives on average over its draws is what "test" gives, without a draw.
    """

    def __init__(self, on: ExamplesOfClients = "training") -> None:
        check_choice("trainer.callbacks.on", on, ExamplesOfClients)
        self.on: ExamplesOfClients = on
        self.errors: Tensor | None = None  # of each client at the last evaluation, NaN for one without examples
        self._groups = GroupErrors(1)
        self._owners: Tensor | None = None  # of the test examples that this process evaluates
        self._counts = torch.zeros(0, 1)
        self._seen = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes room for each client, or for each class."""
        if len([own for own in callbacks_of(trainer) if isinstance(own, ClientErrors)]) > 1:
            raise InputError("trainer.callbacks: two ClientErrors would log the same metrics: keep one")
        data, device = data_of(trainer), trainer.strategy.root_device
        owners = data.test_owners
        self._owners = None if owners is None else owners[trainer.global_rank :: trainer.world_size].to(device)
        self._groups = GroupErrors(data.num_classes if owners is None else data.num_clients).to(device)
        # As they are before any attack.
        self._counts = class_counts(data.clients.labels, data.clients.sizes, data.num_classes)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Counts a batch of the test set."""
        if self.on == "test" and dataloader_idx == 0:
            if not isinstance(outputs, Tensor):
                name = type(pl_module).__name__
                raise InputError(
                    f"trainer.callbacks: ClientErrors(on='test') needs class scores: let {name}.validation_step return"
                    " what its base's returns"
                )
            labels = batch[1]
            groups = labels if self._owners is None else self._owners[self._seen : self._seen + len(labels)]
            self._groups.update(outputs.argmax(dim=1) != labels, groups)
            self._seen += len(labels)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measures and logs."""
        if trainer.state.fn == "fit":
            assert isinstance(pl_module, FederatedModule)
            if self.on == "training":
                self.errors = errors_by_client(pl_module, trainer.global_rank, trainer.world_size).compute().cpu()
            else:
                measured = self._groups.compute().cpu()
                self.errors = errors_by_labels(measured, self._counts) if self._owners is None else measured
            benign = self.errors[pl_module.federation.benign_throughout & self.errors.isfinite()]
            if len(benign):
                worst = benign.topk(-(-len(benign) // 10)).values
                values = torch.stack([benign.mean(), worst.mean(), benign.std(correction=0)])
                log_finite(trainer, pl_module, dict(zip(CLIENT_ERRORS, values.tolist(), strict=True)))
        self._groups.reset()
        self._seen = 0


def errors_by_labels(by_class: Tensor, counts: Tensor) -> Tensor:
    """Expected error rate of each client on test examples that have the labels of its own examples.

    Args:
        by_class: The error rate of each class on the test set, NaN for one without test examples, which then has no
            weight; shape ``[num_classes]``.
        counts: Examples of each client by class, shape ``[num_clients, num_classes]``.

    Returns:
        Float64 of shape ``[num_clients]``; NaN for a client without examples of a class that is tested.

    Example:
        >>> errors_by_labels(torch.tensor([0.5, 0.0, torch.nan]), torch.tensor([[1, 3, 4], [2, 0, 0], [0, 0, 1]]))
        tensor([0.1250, 0.5000,    nan], dtype=torch.float64)
    """
    known = by_class.isfinite()
    seen = counts[:, known].double()
    return seen @ by_class[known].double() / seen.sum(dim=1)


def errors_by_client(module: FederatedModule, rank: int = 0, world_size: int = 1) -> GroupErrors:
    """Errors of the global model on each client's data, as they were before any attack.

    Args:
        module: The server.
        rank: This process, which takes its share of the batches.
        world_size: Number of processes.
    """
    data, clients = module.data, module.data.clients
    errors = GroupErrors(clients.num_clients).to(clients.labels.device)
    owners = torch.arange(clients.num_clients, device=clients.labels.device).repeat_interleave(clients.sizes)
    size = data.eval_batch_size
    for number, (features, labels) in enumerate(EvaluationBatches(Examples(clients.features, clients.labels), size)):
        if number % world_size == rank:
            wrong = module(features).argmax(dim=1) != labels
            errors.update(wrong, owners[number * size : number * size + len(labels)])
    return errors
