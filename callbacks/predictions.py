"""Writes what ``flt predict`` predicts."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from rich.console import Console

from flt.data.datamodule import data_of
from flt.files import write_atomically


class PredictionWriter(BasePredictionWriter):
    """Writes ``predictions.csv`` (data, example, label, prediction) into the run's folder after ``flt predict``."""

    def __init__(self) -> None:
        super().__init__(write_interval="epoch")

    def write_on_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule, predictions: Sequence[Any], batch_indices: Sequence[Any]
    ) -> None:
        """Writes the file."""
        data = data_of(trainer).display_name
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["data", "example", "label", "prediction"])
        example = 0
        for labels, predicted in predictions:
            for label, prediction in zip(labels.tolist(), predicted.tolist(), strict=True):
                writer.writerow([data, example, label, prediction])
                example += 1
        path = Path(trainer.log_dir or ".") / "predictions.csv"
        write_atomically(path, text.getvalue())
        Console().print(f"Wrote {example} predictions to {path}", highlight=False)
