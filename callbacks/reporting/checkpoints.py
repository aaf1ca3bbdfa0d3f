"""When a run writes its checkpoint: as often as that is worth its time, and wherever the run stops."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from time import monotonic
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

SHARE = 0.02
"""The part of a run's time that its checkpoints may take."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class PacedCheckpoint(ModelCheckpoint):
    """Keeps ``last.ckpt``: after the first evaluation, the last one, and as many others as take 2 % of the time.

    Of short rounds that is a few times a second, of long ones every evaluation. A signal that would break off a round
    waits for the round to end, unless it comes twice; the run is then written as it stands and stops.
    """

    def __init__(self) -> None:
        # After the evaluation, so that a resumed run has its row; `every_n_epochs` counts evaluations here.
        super().__init__(filename="last", enable_version_counter=False, every_n_epochs=1, save_on_train_epoch_end=False)
        self._next = 0.0
        self._is_training = False  # that is, everything of a checkpoint has been restored
        self._before: dict[int, Callable[..., Any]] = {}  # who is to be told of a signal
        self._received: int | None = None

    @cached_property  # Lightning asks for it three times a round
    def state_key(self) -> str:
        """That of its base, which kept the checkpoints of earlier versions."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins to listen to signals."""
        super().on_train_start(trainer, pl_module)
        self._next, self._received, self._is_training = 0.0, None, True
        if trainer.world_size > 1 or threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._note)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Answers a signal that has come during the round before or its evaluation."""
        if self._received is not None:
            self._answer()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes a checkpoint if one is due."""
        start = monotonic()
        if start >= self._next or trainer.should_stop or trainer.global_step >= trainer.max_steps:
            super().on_validation_end(trainer, pl_module)
            end = monotonic()
            self._next = end + (end - start) / SHARE

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Answers a signal that has come during the last round."""
        super().on_train_end(trainer, pl_module)
        self._is_training = False
        self._listen_no_more()
        if self._received is not None:
            self._answer()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Writes a checkpoint of a run that stops between two rounds; half a round is nothing to go on from."""
        self._listen_no_more()
        rounds: Any = trainer.fit_loop.epoch_loop.batch_progress
        is_between = rounds.current.started == rounds.current.completed and not trainer.validating
        can_go_on = self._is_training and is_between and trainer.world_size == 1
        if can_go_on and not self._should_skip_saving_checkpoint(trainer):
            for counts in (rounds.total, rounds.current):
                counts.ready = counts.started  # the round that was about to begin
            rounds.is_last_batch = False
            with suppress(Exception):  # what the run stops for counts more
                self._save_none_monitor_checkpoint(trainer, self._monitor_candidates(trainer))

    def _note(self, number: int, frame: Any) -> None:
        self._received = number
        signal.signal(number, self._before.pop(number))  # the second time it is not for the round to end

    def _answer(self) -> None:
        number, self._received = self._received, None
        assert number is not None
        self._listen_no_more()
        signal.raise_signal(number)

    def _listen_no_more(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            if signal.getsignal(number) == self._note:
                signal.signal(number, handler)
