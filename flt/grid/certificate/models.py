"""What the models of groups predict for the test set."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import seed_everything
from torch import Tensor

from flt.cli.settings import Request
from flt.data import FederatedDataModule
from flt.data.kept_clients import kept_clients
from flt.data.rounds import EvaluationBatches
from flt.federation import Aggregation
from flt.federation.membership import form_federation
from flt.functional.layout import layout_of
from flt.grid.certificate.certificate import Certificate
from flt.grid.certificate.groups import Groups
from flt.module import FederatedModule
from flt.runs.checkpoints import REMOVE, read_checkpoint


@dataclass(frozen=True)
class Voters:
    """The data and the network of a federation, whose groups have a model each.

    Attributes:
        data: All clients' data, set up.
        model: The network, into which each group's parameters are read in turn.
        rule: The rule by which each group trains.
    """

    data: FederatedDataModule
    model: FederatedModule
    rule: Aggregation

    @classmethod
    def of(cls, request: Request) -> "Voters":
        """Those that the settings of ``flt fit`` make.

        Raises:
            InputError: If the data cannot be loaded or dealt out.
        """
        seed_everything(request.settings.seed_everything, workers=True, verbose=False)
        settings = request.settings.clone()
        for name in vars(settings).keys() - {"data", "model", "aggregation"}:  # which would make loggers
            del settings[name]
        made = request.parser.instantiate(settings)
        made.data.prepare_data()
        made.data.setup("predict")
        return cls(made.data, made.model, made.aggregation)

    def check(self, groups: Groups) -> None:
        """Raises an `InputError` if a group is too small for the rule, or for the clients of a round."""
        shapes = {name: each.shape for name, each in self.model.network.named_parameters() if each.requires_grad}
        for members in {len(group): group for group in groups.members}.values():
            data = copy.copy(self.data)
            data.only_clients, data.clients = list(members), kept_clients(self.data.clients, members)
            data.num_clients = len(members)
            federation = form_federation(
                data,
                None,
                clients_per_round=self.model.clients_per_round,
                num_byzantine=self.model.num_byzantine,
                layout=layout_of(shapes),
                server_lr=self.model.server_lr,
            )
            self.rule.on_federation(federation)

    def certificate(self, title: str, groups: Groups, runs: Sequence[Path]) -> Certificate:
        """The certificate of the vote of some runs' models.

        Args:
            title: Data and rule.
            groups: Who trained which of them.
            runs: Folders of finished runs, one for each group.

        Raises:
            InputError: If a run has no checkpoint, or a damaged one.
        """
        self.model.normalization = self.data.normalization
        self.model.eval()
        predictions = torch.stack([self._predicted_by(run / "checkpoints" / "last.ckpt") for run in runs])
        return Certificate.of(title, groups, predictions, self.data.test.labels, self.data.num_classes)

    @torch.no_grad()
    def _predicted_by(self, checkpoint: Path) -> Tensor:
        """The class that a model predicts for each test example, int64 of shape ``[num_test]``."""
        content = read_checkpoint(checkpoint, str(checkpoint), REMOVE, training=False)
        self.model.load_state_dict(content["state_dict"])
        batches = EvaluationBatches(self.data.test, self.data.eval_batch_size)
        return torch.cat([self.model(features).argmax(dim=1) for features, _ in batches])
