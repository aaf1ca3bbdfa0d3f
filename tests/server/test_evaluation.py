"""The brief evaluation gives what Lightning's own gives, and leaves to it what is out of the ordinary."""

import pytest
import torch
from tiny import TinyData, mlp, trainer

from callbacks import ClientErrors, EvaluationMetrics, FedAvg, MetricsLogger, ScalingAttack
from flt.federation import FederatedCallback
from flt.module import FederatedModule
from flt.server.evaluation.loop import BriefEvaluation
from flt.server.evaluation.module import Mean


class OfBatches(FederatedCallback):
    """Logs in the hooks of batches, and notes what they are called with."""

    def __init__(self):
        self.seen = []

    def on_validation_batch_start(self, trainer, module, batch, batch_idx, dataloader_idx=0):
        module.log(f"started_{dataloader_idx}", float(batch_idx), on_epoch=True, add_dataloader_idx=False)

    def on_validation_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        self.seen.append((batch_idx, dataloader_idx, len(batch[1]), len(outputs), module.training))


class Hooked(FederatedModule):
    def on_validation_batch_end(self, *_):
        pass


class Other(FederatedModule):
    def validation_step(self, *args):
        return super().validation_step(*args)


def measured(tmp_path, kind, fraction, **settings):
    """The rows of a run, what callbacks saw, its metrics in the end, and how often it evaluated briefly."""
    metrics, noting, brief = MetricsLogger(), OfBatches(), []
    whole = BriefEvaluation._briefly
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BriefEvaluation, "_briefly", lambda self: brief.append(1) or whole(self))
        if kind is None:
            patched.setattr("flt.module.evaluate_briefly", lambda trainer: None)
        callbacks = (ScalingAttack(0.4), EvaluationMetrics(), ClientErrors("test"), noting, metrics)
        run = trainer(tmp_path, FedAvg(), *callbacks, rounds=4, val_check_interval=2, **settings)
        torch.manual_seed(0)
        run.fit((kind or FederatedModule)(mlp()), datamodule=TinyData(validation_fraction=fraction))
    return metrics.rows, noting.seen, {name: float(value) for name, value in run.callback_metrics.items()}, len(brief)


@pytest.mark.parametrize("fraction", [0.0, 0.2])
@pytest.mark.parametrize(
    ("kind", "settings", "times"),
    [(FederatedModule, {}, 2), (Hooked, {}, 0), (Other, {}, 0), (FederatedModule, {"limit_val_batches": 4}, 0)],
    ids=["plain", "module with a hook", "module with its own step", "limit"],
)
def test_the_same_as_lightning_s_own(tmp_path, fraction, kind, settings, times):
    *expected, never = measured(tmp_path, None, fraction)
    *found, brief = measured(tmp_path, kind, fraction, **settings)
    assert (never, brief) == (0, times)
    assert found == expected
    assert [list(row) for row in found[0]] == [list(row) for row in expected[0]]  # columns are in the same order


def test_a_mean_of_batches():
    mean = Mean()
    for values in ([1.0, 2.0], [], [True, False, True]):
        mean.update(torch.tensor(values))
    assert float(mean.compute()) == 5 / 5
    mean.reset()
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert mean.compute().isnan()
