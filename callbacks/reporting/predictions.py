"""Writes what ``flt predict`` predicts."""

import csv
import io
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from flt.data.datamodule import data_of
from flt.files import write_atomically
from flt.runs.folder import run_folder


class PredictionWriter(Callback):
    """Writes ``predictions.csv`` (data, example, label, prediction) into the run's folder after ``flt predict``."""

    def __init__(self) -> None:
        self._predictions: list[tuple[list[int], list[int]]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts anew."""
        self._predictions = []

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps a batch."""
        labels, predicted = outputs
        self._predictions.append((labels.tolist(), predicted.tolist()))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes the file; every process has predicted all of it."""
        if not trainer.is_global_zero:
            return
        data = data_of(trainer).display_name
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["data", "example", "label", "prediction"])
        pairs = [pair for batch in self._predictions for pair in zip(*batch, strict=True)]
        writer.writerows([data, example, *pair] for example, pair in enumerate(pairs))
        path = (run_folder(trainer) or Path(trainer.default_root_dir)) / "predictions.csv"
        write_atomically(path, text.getvalue())
        Console(markup=False).print(f"Wrote {len(pairs)} predictions to {path}", highlight=False, soft_wrap=True)
