"""The files that Lightning would write for a run, written so that stopping at any moment loses nothing."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.cloud_io import _is_local_file_protocol
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from flt.files import append, synchronize, write_atomically


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that replace an earlier one in one step; Lightning's pass through another folder, and are copied.

    Addresses such as ``s3://`` are left to Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes a checkpoint."""
        if not _is_local_file_protocol(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        content = io.BytesIO()  # a full disk makes torch raise something else than an OSError
        torch.save(checkpoint, content)
        write_atomically(Path(str(path).removeprefix("file://")), content.getbuffer())

    def load_checkpoint(self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None) -> Any:
        """Reads a checkpoint; it holds nothing that needs more than ``weights_only``."""
        return super().load_checkpoint(path, map_location, True if weights_only is None else weights_only)


class MetricsFile(ExperimentWriter):
    """The content of ``metrics.csv``: a new row is appended, a new column makes a new file that replaces the old one.

    Lightning's deletes the file of a run that goes on, and rewrites it in place.
    """

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        self.path = Path(self.metrics_file_path)
        self._written: list[dict[str, float]] = []

    def save(self) -> None:
        """Writes the rows that were logged since."""
        if not self.metrics:
            synchronize(self.path)
            return
        columns = sorted({*self.metrics_keys, *(name for row in self.metrics for name in row)})
        if columns == self.metrics_keys and self.path.exists():
            append(self.path, _as_csv(self.metrics, columns))
        else:
            header = dict(zip(columns, columns, strict=True))
            write_atomically(self.path, _as_csv([header, *self._written, *self.metrics], columns))
        self.metrics_keys = columns
        self._written += self.metrics
        self.metrics = []

    def _check_log_dir_exists(self) -> None:
        """Deletes nothing: the rows of a run that goes on stay until there is a file that holds them as well."""


def write_safely(trainer: Trainer) -> None:
    """Makes a trainer write its checkpoints and metrics so, unless the user has brought means of their own."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = AtomicCheckpoints()
    for logger in trainer.loggers if trainer.is_global_zero else []:
        if isinstance(logger, CSVLogger) and not isinstance(logger._experiment, MetricsFile):
            logger._experiment = MetricsFile(logger.log_dir)  # there is no public way to bring one


def _as_csv(rows: Iterable[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    return text.getvalue()
