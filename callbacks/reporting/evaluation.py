"""Further metrics of an evaluation: loss, error of each class."""

import math
import re
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics import Metric

from flt.data.datamodule import data_of
from flt.module import FederatedModule
from flt.server.evaluation.module import Mean

CLASS_ERROR = "class_error/"


class GroupErrors(Metric):
    """Error rate of each of several groups of examples; a NaN for a group without examples.

    Args:
        num_groups: Number of groups.

    Example:
        >>> errors = GroupErrors(2)
        >>> errors.update(torch.tensor([True, False, False]), torch.tensor([0, 0, 1]))
        >>> errors.compute()
        tensor([0.5000, 0.0000], dtype=torch.float64)
    """

    full_state_update = False
    wrong: Tensor
    seen: Tensor

    def __init__(self, num_groups: int) -> None:
        super().__init__()
        for name in ("wrong", "seen"):
            self.add_state(name, torch.zeros(num_groups, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, wrong: Tensor, groups: Tensor) -> None:
        """Counts a batch: whether each example was predicted wrongly, and its group, both ``[batch_size]``."""
        self.seen.index_add_(0, groups, torch.ones_like(groups))
        self.wrong.index_add_(0, groups, wrong.long())

    def compute(self) -> Tensor:
        """The error rates, float64 of shape ``[num_groups]``."""
        return self.wrong.double() / self.seen


class EvaluationMetrics(Callback):
    """Adds the loss on the test set, ``testing_loss``, and each class's error, ``class_error/CLASS``, to an evaluation.

    They are made of the class scores that the evaluation computes anyway. A class without test examples has no error.

    Args:
        loss: Whether to measure the loss, the cross-entropy.
        by_class: Whether to measure each class's error.
    """

    def __init__(self, loss: bool = True, by_class: bool = True) -> None:
        self.loss = loss
        self.by_class = by_class
        self._loss = Mean()
        self._errors = GroupErrors(1)
        self._names: list[str] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes room for each class."""
        names = data_of(trainer).class_names
        self._names = [CLASS_ERROR + word for word in _words(names)]
        self._loss = Mean().to(trainer.strategy.root_device)
        self._errors = GroupErrors(len(names)).to(trainer.strategy.root_device)

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
        if dataloader_idx:
            return
        if not isinstance(outputs, Tensor):
            name = type(pl_module).__name__
            rank_zero_warn(f"no loss and errors of classes: let {name}.validation_step return what its base's returns")
            return
        _, labels = batch
        if self.loss:
            self._loss.update(cross_entropy(outputs.float(), labels, reduction="none"))
        if self.by_class:
            self._errors.update(outputs.argmax(dim=1) != labels, labels)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Logs what was measured."""
        values: dict[str, float] = {}
        if self.loss and self._loss.update_called:
            values["testing_loss"] = float(self._loss.compute())
        if self.by_class and self._errors.update_called:
            values |= dict(zip(self._names, self._errors.compute().tolist(), strict=True))
        log_finite(trainer, pl_module, values)
        self._loss.reset()
        self._errors.reset()

    on_test_batch_end = on_validation_batch_end
    on_test_epoch_end = on_validation_epoch_end


def log_finite(trainer: Trainer, module: LightningModule, values: dict[str, float]) -> None:
    """Logs those metrics of an evaluation that are finite.

    Args:
        trainer: The trainer.
        module: The server.
        values: Metrics by name, the same in every process.
    """
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    if isinstance(module, FederatedModule) and module.to_rows is not None:
        tensors = torch.tensor([*finite.values()], dtype=torch.float64)
        module.put_into_row(dict(zip(finite, tensors, strict=True)), "on_validation_epoch_end")
    else:
        module.log_dict(finite, sync_dist=True)


def _words(names: Any) -> list[str]:
    """Names as parts of a metric's name; their numbers where two would become one."""
    words = [re.sub(r"\W+", "_", str(name)).strip("_") for name in names]
    return words if len({*words, ""}) > len(words) else [str(number) for number in range(len(words))]
