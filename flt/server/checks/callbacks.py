"""Callbacks of Lightning's that cannot work where a training step is a round."""

from collections.abc import Iterable

from lightning.pytorch import Callback
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks import BaseFinetuning, EarlyStopping, LearningRateFinder, ModelCheckpoint
from lightning.pytorch.callbacks.spike import SpikeDetection

from flt.errors import InputError

REMEDIES: dict[type[Callback], str] = {
    lightning_callbacks.GradientAccumulationScheduler: "model.local_steps is the number of batches of a round",
    LearningRateFinder: "try values of model.client_lr, as a grid of flt table does",
    lightning_callbacks.BatchSizeFinder: "data.batch_size is set by hand; model.clients_per_chunk bounds memory",
    BaseFinetuning: "set requires_grad of the parameters in a network of your own",
    SpikeDetection: "clients' losses are in the column training_loss of metrics.csv",
    lightning_callbacks.StochasticWeightAveraging: "model.server_optimizer takes any optimizer of torch",
    lightning_callbacks.ModelPruning: "prune the network after training, or change updates in a callback of your own",
}
"""Callbacks that act on an optimizer, a loss or batches that a round does not have, and what to use instead."""


def check_callbacks(callbacks: Iterable[Callback]) -> None:
    """Raises an `InputError` for a callback that changes training where a step is a round, or fails in it."""
    for callback in callbacks:
        for kind, remedy in REMEDIES.items():
            if isinstance(callback, kind):
                name = type(callback).__name__
                raise InputError(f"trainer.callbacks holds {name}, which cannot work in rounds: leave it out; {remedy}")


def check_monitors(callbacks: Iterable[Callback], *, has_backdoor: bool, has_validation: bool) -> None:
    """Raises an `InputError` for a callback that waits for a rate that is not measured.

    Args:
        callbacks: The callbacks.
        has_backdoor: Whether attack success rates are measured.
        has_validation: Whether there is a validation set.
    """
    for callback in callbacks:
        monitor = callback.monitor if isinstance(callback, EarlyStopping | ModelCheckpoint) else None
        if str(monitor).startswith("validation_") and not has_validation:
            raise InputError(
                f"trainer.callbacks: {type(callback).__name__} monitors {monitor}, which is measured on a validation"
                " set: set data.validation_fraction, such as 0.2"
            )
        if monitor in ("attack_success_rate", "validation_attack_success_rate") and not has_backdoor:
            raise InputError(
                f"trainer.callbacks: {type(callback).__name__} monitors {monitor}, which is measured only under an"
                " attack with a backdoor, such as ScalingAttack: monitor testing_error_rate"
            )
