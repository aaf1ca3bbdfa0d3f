"""Lightning's evaluation between rounds, less what it does for every batch and nobody uses."""

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.utilities import _no_grad_context
from lightning.pytorch.trainer.states import TrainerFn

from flt.data.rounds import EvaluationBatches
from flt.federation.hooks import has_own
from flt.federation.plugins import callbacks_of
from flt.server.evaluation.module import EvaluatedModule

OF_BATCHES = ("on_validation_batch_start", "on_validation_batch_end")
OF_TRANSFER = ("transfer_batch_to_device", "on_before_batch_transfer", "on_after_batch_transfer")
"""Hooks of a module and its data that only Lightning's own loop calls."""


class BriefEvaluation(_EvaluationLoop):
    """Evaluates on examples that lie where they are needed: no fetching, no moving, no looking at signatures.

    Hooks are called as ever. What is out of the ordinary is left to Lightning: several processes, limits, a resumed
    evaluation, a module with hooks or a ``validation_step`` of its own.
    """

    def run(self) -> list[dict[str, Any]]:
        """Evaluates once."""
        self.setup_data()
        found: list[dict[str, Any]] = self._briefly() if self._is_plain() else super().run()
        return found

    def _is_plain(self) -> bool:
        trainer = self.trainer
        module = trainer.lightning_module
        return (
            trainer.state.fn == TrainerFn.FITTING
            and not (trainer.sanity_checking or self.restarting)
            and trainer.world_size == 1
            and trainer.limit_val_batches == 1.0  # a share of them
            and isinstance(trainer.limit_val_batches, float)
            and isinstance(module, EvaluatedModule)
            and module.to_rows is not None
            and type(module).validation_step is EvaluatedModule.validation_step
            and not _own(module, LightningModule, (*OF_BATCHES, *OF_TRANSFER))
            and not _own(trainer.datamodule, LightningDataModule, OF_TRANSFER)  # type: ignore[attr-defined]
            and self._combined_loader is not None
            and all(type(loader) is EvaluationBatches for loader in self._combined_loader.flattened)
        )

    @_no_grad_context
    def _briefly(self) -> list[dict[str, Any]]:
        trainer, module = self.trainer, self.trainer.lightning_module
        assert isinstance(module, EvaluatedModule)
        assert self._combined_loader is not None
        loaders = self._combined_loader.flattened
        self._logged_outputs, module.measured = [], {}
        self.batch_progress.reset_on_run()
        self._on_evaluation_model_eval()
        self._on_evaluation_start()
        self._on_evaluation_epoch_start()
        try:
            for number, loader in enumerate(loaders):
                if number:
                    self._store_dataloader_outputs()
                self._batches(trainer, module, loader, (number,) if len(loaders) > 1 else ())
            rates = {name: rate.compute() for name, rate in module.measured.items()}
            module.put_into_row(rates, "validation_step")
        finally:
            for rate in module.measured.values():
                rate.reset()
            module.measured = None
        self.batch_progress.increment_by(sum(map(len, loaders)), True)
        self._has_run = True
        self._store_dataloader_outputs()
        outputs: list[dict[str, Any]] = self.on_run_end()
        return outputs

    def _batches(
        self, trainer: Trainer, module: EvaluatedModule, loader: EvaluationBatches, place: tuple[int, ...]
    ) -> None:
        """Evaluates on one set; ``place`` is its number where there are several."""
        starting, ending = (
            [own for own in callbacks_of(trainer) if has_own(own, name, Callback)] for name in OF_BATCHES
        )
        connector, before = trainer._logger_connector, module._current_fx_name
        for number, batch in enumerate(loader):
            connector.on_batch_start(batch, *place)
            module._current_fx_name = OF_BATCHES[0]
            for callback in starting:
                callback.on_validation_batch_start(trainer, module, batch, number, *place)
            module._current_fx_name = "validation_step"
            scores = trainer.strategy.validation_step(batch, number, *place)
            module._current_fx_name = OF_BATCHES[1]
            for callback in ending:
                callback.on_validation_batch_end(trainer, module, scores, batch, number, *place)
            connector.on_batch_end()
        module._current_fx_name = before


def _own(value: Any, base: type, names: Sequence[str]) -> bool:
    """Whether something has another hook than its base class."""
    return any(has_own(value, name, base) for name in names)


def evaluate_briefly(trainer: Trainer) -> None:
    """Has a trainer evaluate between rounds by `BriefEvaluation`, unless someone has put another loop there."""
    loop = trainer.fit_loop.epoch_loop.val_loop
    if type(loop) is _EvaluationLoop:
        loop.__class__ = BriefEvaluation  # with the data that Lightning has given it by now
