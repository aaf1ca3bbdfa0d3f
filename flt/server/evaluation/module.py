"""The global model under test: its class scores, the testing error rate and the attack success rate."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from flt.clients.conduct import Conduct
from flt.clients.evaluation import evaluation_mode
from flt.data.datamodule import FederatedDataModule, data_of
from flt.data.inputs import Normalization
from flt.federation import Attack, Backdoor, Memory
from flt.federation.membership import backdoor_of
from flt.federation.memory import NOTHING
from flt.runs.row_metrics import RowMetrics

RATES = (
    ("testing_error_rate", "attack_success_rate"),
    ("validation_error_rate", "validation_attack_success_rate"),
)
"""What evaluations measure on the test set and on the validation set."""


class Mean(Metric):
    """Mean of numbers that come in batches; a NaN where there were none.

    Numbers are added up in float32, in which the share of examples for which something holds is exact.

    Example:
        >>> mean = Mean()
        >>> mean.update(torch.tensor([True, False, False, True]))
        >>> mean.compute()
        tensor(0.5000)
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """Adds a batch of numbers or truths, of any shape."""
        self.total += values.float().sum()
        self.count += values.numel()

    def compute(self) -> Tensor:
        """The mean, float32."""
        return self.total / self.count


class EvaluatedModule(RowMetrics):
    """A module that measures its network on the data set's examples, with and without the attack's trigger.

    Args:
        network: From features to class scores.
    """

    measured: dict[str, Mean] | None = None
    """Rates that `BriefEvaluation` will log at the end of an evaluation; None where Lightning logs them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.testing_error_rate = Mean()
        self.attack_success_rate = Mean()
        self.validation_error_rate = Mean()
        self.validation_attack_success_rate = Mean()
        self.backdoor: Backdoor | None = None
        self._learner: Attack | None = None  # an attack that learns its trigger
        self._kept_by_attack: Memory = NOTHING
        self.normalization: Normalization | None = None
        self._conduct = Conduct()

    def forward(self, features: Tensor) -> Tensor:
        """Class scores of the global model for examples as the data set keeps them."""
        seen = features if self.normalization is None else self.normalization(features)
        scores: Tensor = self._conduct.call(self.network, seen)
        return scores

    def on_validation_start(self) -> None:
        """Takes the backdoor that an attack has learnt by now, where it learns one."""
        if self._learner is not None:
            self.backdoor = backdoor_of(self._learner, self.data, self._kept_by_attack)

    on_test_start = on_validation_start

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Measures the testing error rate and, under a backdoor, the attack success rate.

        Of the validation set, if there is one, these are ``validation_error_rate`` and, where the backdoor is a pattern
        that can be embedded in any example, ``validation_attack_success_rate``.

        Args:
            batch: Features and labels.
            batch_idx: The batch, counted from 0.
            dataloader_idx: 0 for the test set, 1 for the validation set.

        Returns:
            The class scores of the batch, which callbacks get as ``outputs`` of ``on_validation_batch_end``.
        """
        scores, counted = self._counted(batch, batch_idx, dataloader_idx)
        for name, rate in counted.items():
            self._log_rate(name, rate)
        return scores

    def _counted(
        self, batch: tuple[Tensor, Tensor], batch_idx: int, dataloader_idx: int
    ) -> tuple[Tensor, dict[str, Mean]]:
        """Counts a batch in the rates that an evaluation measures; its class scores, and those rates by name."""
        features, labels = batch
        error_rate, success_rate = RATES[dataloader_idx]
        scores: Tensor = self(features)
        outcomes = {error_rate: scores.argmax(dim=1) != labels}
        if self.backdoor is not None and (dataloader_idx == 0 or self.backdoor.examples is None):
            tested = self._tested(self.backdoor, features, labels, batch_idx)
            outcomes[success_rate] = self._succeeds(self.backdoor, tested)
        counted: dict[str, Mean] = {name: getattr(self, name) for name in outcomes}
        for name, rate in counted.items():
            rate.update(outcomes[name])
        return scores, counted

    def _log_rate(self, name: str, rate: Mean) -> None:
        if self.measured is None or self.to_rows is None:
            self.log(name, rate, on_epoch=True, on_step=False, add_dataloader_idx=False)
        else:
            self.measured[name] = rate
            self.to_rows[name] = "validation_step"  # at once, as `log` does: columns keep their order

    def rates_at_start(self) -> dict[str, float]:
        """The rates of the model as it is before the first round; nothing else of the run is touched.

        Returns:
            What `validation_step` logs, by name; nothing in a run without evaluations.
        """
        if not self.trainer.enable_validation:
            return {}
        loaders = self.trainer.val_dataloaders
        loaders = loaders if isinstance(loaders, (list, tuple)) else [loaders]
        most = self.trainer.num_val_batches
        return self.rates_on([self._moved(*each, index) for index, each in enumerate(zip(loaders, most, strict=True))])

    def _moved(self, loader: Iterable[Any], most: float, index: int) -> Iterator[Any]:
        for number, batch in enumerate(loader):
            if number >= most:
                break
            yield self.trainer.strategy.batch_to_device(batch, dataloader_idx=index)

    @torch.no_grad()
    def rates_on(self, sets: Sequence[Iterable[tuple[Tensor, Tensor]]]) -> dict[str, float]:
        """The rates of the model as it is; nothing else of the run is touched.

        Args:
            sets: Batches of the test set and, if there is one, of the validation set, where the model is.

        Returns:
            What `validation_step` logs, by name.
        """
        counted = dict[str, Mean]()
        with evaluation_mode(self):
            for index, batches in enumerate(sets):
                for number, batch in enumerate(batches):
                    counted |= self._counted(batch, number, index)[1]
        found = {name: float(rate.compute()) for name, rate in counted.items()}
        for rate in counted.values():
            rate.reset()
        return found

    def _tested(self, backdoor: Backdoor, features: Tensor, labels: Tensor, batch_idx: int) -> Tensor:
        """What an evaluation's batch is to embed the trigger in; the batches share out a backdoor's own examples."""
        if backdoor.examples is None:
            # An example that is of the target class anyway says nothing about the backdoor.
            return features[labels != backdoor.target_class]
        num_batches = len(self.data.test_dataloader())
        return self.data.share_of(backdoor.examples).features[batch_idx::num_batches]

    def _succeeds(self, backdoor: Backdoor, tested: Tensor) -> Tensor:
        """Which of some examples the network takes for the target class under the trigger, boolean."""
        if not len(tested):  # a layer may not be able to view or to reduce a batch of nothing
            return torch.zeros(0, dtype=torch.bool, device=tested.device)
        scores: Tensor = self(backdoor.trigger(tested))
        return scores.argmax(dim=1) == backdoor.target_class

    test_step = validation_step

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> tuple[Tensor, Tensor]:
        """Labels and predicted classes, each of shape ``[batch_size]``."""
        features, labels = batch
        return labels, self(features).argmax(dim=1)

    @property
    def data(self) -> FederatedDataModule:
        """The trainer's data module."""
        return data_of(self.trainer)
