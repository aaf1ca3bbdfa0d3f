"""The progress bar: rounds, rounds a second, errors."""

from time import monotonic
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

REFRESH_SECONDS = 0.1  # as often as an eye can follow; a refresh every round would cost more than some rounds


class RoundProgressBar(ProgressBar):
    """Shows the round, rounds a second, the time left and the latest testing error and attack success rates."""

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._enabled = True
        self._shown = self._started = 0.0
        self._first = 0

    def disable(self) -> None:
        """Turns the bar off, as Lightning does on all processes but one."""
        self._enabled = False

    def enable(self) -> None:
        """Turns the bar on."""
        self._enabled = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Starts the bar with the first round, below what others print before it."""
        if self._progress is not None:
            return
        self._progress = Progress(
            TextColumn("Round"),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[rates]}"),
            disable=not self._enabled,
        )
        self._started, self._first = monotonic(), trainer.global_step
        self._task = self._progress.add_task(
            "rounds", total=trainer.max_steps, completed=self._first, speed="", rates=""
        )
        self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Moves the bar."""
        if monotonic() - self._shown > REFRESH_SECONDS:
            self._show(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Shows the new rates."""
        if trainer.state.fn == "fit":
            self._show(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves the finished bar standing."""
        self._show(trainer)
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Frees the terminal."""
        self._stop()

    def _show(self, trainer: Trainer) -> None:
        if self._progress is None:
            return
        self._shown = monotonic()
        done = trainer.global_step
        speed = (done - self._first) / max(self._shown - self._started, 1e-9)
        metrics = trainer.callback_metrics
        rates = [
            f"{label} {float(metrics[name]):.3f}"
            for label, name in (("testing error", "testing_error_rate"), ("attack success", "attack_success_rate"))
            if name in metrics
        ]
        self._progress.update(self._task, completed=done, speed=f"{speed:,.0f} rounds/s", rates=" · ".join(rates))

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
