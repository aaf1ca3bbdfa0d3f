"""That Lightning still works as the shortcuts around it expect; a release that renames things shows here."""

from lightning.pytorch.profilers import SimpleProfiler
from tiny import fit

from callbacks import FedAvg
from flt.federation import FederatedCallback
from flt.runs.lightning_overhead import HOOK_NAME, NoProfiler


class Noting(FederatedCallback):
    """Notes which profiler a run has, and the hook that Lightning has noted."""

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.profiler, self.hook = trainer.profiler, vars(module)[HOOK_NAME]


def test_lightning_notes_its_hooks_and_asks_the_profiler(tmp_path, monkeypatch):
    actions = []
    profile = NoProfiler.profile
    monkeypatch.setattr(NoProfiler, "profile", lambda self, name: actions.append(name) or profile(self, name))
    noting = Noting()
    fit(tmp_path, FedAvg(), noting, rounds=1)
    assert type(noting.profiler) is NoProfiler
    assert noting.hook
    assert "run_training_batch" in actions


def test_a_profiler_of_the_user_s_stays(tmp_path):
    noting = Noting()
    fit(tmp_path, FedAvg(), noting, rounds=1, trainer_settings={"profiler": "simple"})
    assert type(noting.profiler) is SimpleProfiler
