"""Writing down the settings of a run."""

import json
import logging
from functools import cached_property
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only

from flt.cli.parser import FederatedArgumentParser
from flt.files import write_atomically
from flt.module import FederatedModule
from flt.runs.checkpoints import SETTINGS, WANDB_IDS
from flt.runs.folder import remove_if_empty, run_folder
from flt.runs.resume import logged_under


class ConfigWriter(Callback):
    """Writes ``config.yaml`` into the run's folder and gives it to the loggers, once nothing can go wrong any more.

    Checkpoints keep it as well: a resumed run is to have the same settings. They come with what they were read with.
    """

    def __init__(self, parser: FederatedArgumentParser, config: Namespace) -> None:
        self.parser, self.config = parser, config

    @cached_property
    def settings(self) -> str:
        """The configuration in JSON, which takes longer to make than a small checkpoint."""
        return self.parser.written(self.config, "json")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Removes the run's folder, which loggers make before any setting is looked at, if nothing is in it."""
        remove_if_empty(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """The same after an evaluation, which writes nothing."""
        remove_if_empty(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes and logs the configuration."""
        assert isinstance(pl_module, FederatedModule)
        _tell_what_is_inherited(pl_module)
        folder, data = run_folder(trainer), pl_module.data.display_name
        if not trainer.is_global_zero or folder is None:
            return
        text = self.parser.written(self.config)
        write_atomically(folder / "config.yaml", f"# Data of this run: {data}\n{text}")
        for logger in trainer.loggers:
            if not isinstance(logger, CSVLogger):  # which would write the same once more as hparams.yaml
                logger.log_hyperparams({**json.loads(self.settings), "data_used": data})

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Adds the settings, as text."""
        if trainer.state.fn == "fit":
            checkpoint |= {SETTINGS: self.settings, WANDB_IDS: logged_under(trainer.loggers)}


def _tell_what_is_inherited(module: FederatedModule) -> None:
    """Says what settings meant for the paper's networks do to another one; a configuration file brings them along."""
    network, is_sum = type(module.network), module.local_settings.loss_reduction == "sum"
    if not network.__module__.startswith("flt.models") and module.initialization != "network":
        inherited = f"model.initialization={module.initialization}" + " and model.loss_reduction=sum" * is_sum
        remedy = "model.initialization=network" + " and model.loss_reduction=mean, with a client_lr for it" * is_sum
        rank_zero_only(logging.getLogger("flt").warning)(
            f"model.network {network.__name__} trains with {inherited}, which are for the paper's networks: if a"
            f" configuration file has brought them along, set {remedy}"
        )
