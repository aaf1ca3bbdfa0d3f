"""Writing checkpoints and ``metrics.csv`` so that a run may stop at any moment and lose nothing."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.fabric.utilities.cloud_io import _is_local_file_protocol
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from flt.files import append, synchronize, write_atomically

SECONDS = 1.0
"""Time after which rows that were written are made to outlast a power cut; checkpoints hold them as well."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside the earlier one and puts it in its place in one step; Lightning copies it there.

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
        """Reads a checkpoint; ``weights_only`` is enough, as checkpoints hold plain values and tensors alone."""
        return super().load_checkpoint(path, map_location, True if weights_only is None else weights_only)


class MetricsFile(ExperimentWriter):
    """Writes ``metrics.csv``: a new row is appended; for a new column the whole file is written anew and replaced.

    Lightning's deletes the file of a run that goes on, and rewrites it in place.
    """

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir)
        self.path = Path(self.metrics_file_path)
        self._written: list[dict[str, float]] = []
        self._synchronized = 0.0

    def save(self) -> None:
        """Writes the rows that were logged since the last call."""
        if not self.metrics:
            if monotonic() > self._synchronized + SECONDS:
                synchronize(self.path)
                self._synchronized = monotonic()
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
        """Deletes nothing, unlike Lightning: a resumed run keeps its file until a new one holds its rows as well."""


def write_safely(trainer: Trainer) -> None:
    """Gives a trainer `AtomicCheckpoints` and `MetricsFile`, unless the user has chosen other ways of writing."""
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
        trainer.strategy.checkpoint_io = AtomicCheckpoints()
    for logger in trainer.loggers if trainer.is_global_zero else []:
        if isinstance(logger, CSVLogger) and not isinstance(logger._experiment, MetricsFile):
            logger._experiment = MetricsFile(logger.log_dir)  # there is no public way to bring one


def _as_csv(rows: Iterable[dict[str, Any]], columns: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns).writerows(rows)
    return text.getvalue()
