"""Callbacks of Lightning's that cannot work where a training step is a round."""

from collections.abc import Iterable
from fnmatch import fnmatch

from lightning.pytorch import Callback, LightningModule
from lightning.pytorch import callbacks as lightning_callbacks
from lightning.pytorch.callbacks import BaseFinetuning, EarlyStopping, LearningRateFinder, ModelCheckpoint
from lightning.pytorch.callbacks.spike import SpikeDetection

from flt.errors import InputError
from flt.runs.summary import CERTIFICATES
from flt.server.evaluation.module import RATES

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


MEASURED = (
    *(name for names in RATES for name in names),
    "testing_loss",
    "class_error/*",
    "client_error_*",
    *CERTIFICATES,
)
"""Patterns of the metrics that a run's own parts log."""


def check_monitors(
    callbacks: Iterable[Callback], module: LightningModule, *, has_backdoor: bool, has_validation: bool
) -> None:
    """Raises an `InputError` for a callback that waits for a metric that is not measured.

    Args:
        callbacks: The callbacks.
        module: The server, which may log further metrics, as may any callback that is neither this project's nor
            Lightning's.
        has_backdoor: Whether attack success rates are measured.
        has_validation: Whether there is a validation set.
    """
    callbacks = list(callbacks)
    knows_all = not any(map(_may_log, [module, *callbacks]))
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
        own = ("epoch", "step") if isinstance(callback, ModelCheckpoint) else ()
        if monitor is not None and knows_all and not any(fnmatch(monitor, each) for each in (*MEASURED, *own)):
            raise InputError(
                f"trainer.callbacks: {type(callback).__name__} monitors {monitor}, which nothing in this run logs:"
                " monitor testing_error_rate or testing_loss, or log it in a callback of your own"
            )


def _may_log(part: object) -> bool:
    """Whether a part, or a rule or an attack in it, comes from elsewhere, and so may log metrics of its own."""
    parts = [part]
    for each in parts:
        if isinstance(each, lightning_callbacks.LambdaCallback):
            return True
        if not type(each).__module__.startswith(("flt.", "callbacks.", "lightning.")):
            return True
        held = [
            inner for value in vars(each).values() for inner in (value if isinstance(value, list | tuple) else [value])
        ]
        parts += [inner for inner in held if isinstance(inner, Callback) and inner not in parts]
    return False
