from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import NUM_FEATURES, Recorder, TinyData

from callbacks import EdgeCase, FedAvg
from flt.data.triggers import TailTrigger
from flt.federation import Backdoor


@pytest.mark.parametrize(("target", "source"), [(None, 0), (0, 1), (2, 0)])
def test_the_first_class_that_is_not_the_target_is_the_source(target, source) -> None:
    backdoor = EdgeCase(target_class=target).backdoor(Backdoor(TailTrigger(2), 1))
    assert isinstance(backdoor.trigger, TailTrigger)
    assert (backdoor.trigger.source_class, backdoor.target_class) == (source, 1 if target is None else target)


def test_unusual_examples_are_learnt_and_measured(fit) -> None:
    data = TinyData()
    server = fit(FedAvg(), EdgeCase(0.5, source_class=2, tail=0.3), data=data, rounds=40)
    tested = TailTrigger(2, 0.3).tested(data.test, 1)
    assert 0 < len(tested) < (data.test.labels == 2).sum()
    expected = (server(tested.features).argmax(dim=1) == 1).float().mean()
    measured = float(server.trainer.callback_metrics["attack_success_rate"])
    assert measured == pytest.approx(float(expected))
    honest = fit(FedAvg(), data=TinyData(), rounds=40)
    assert measured > (honest(tested.features).argmax(dim=1) == 1).float().mean()


def test_examples_from_a_file(fit, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    outside = {f"x_{part}": 3 + draw.normal(size=(20, NUM_FEATURES)) for part in ("train", "test")}
    np.savez(tmp_path / "outside.npz", **outside, y_test=np.zeros(20, np.int64))
    data = TinyData()
    server = fit(FedAvg(), EdgeCase(0.4, path=str(tmp_path / "outside.npz")), data=data, rounds=40)
    for client, is_malicious in enumerate(server.federation.malicious.tolist()):
        size = len(data.clients.of(client))
        extra = server.federation.clients.of(client)[size:]
        assert len(extra) == (20 if is_malicious else 0)
        assert (extra.labels == 1).all()
    assert float(server.trainer.callback_metrics["attack_success_rate"]) > 0.9


def test_the_bound_holds_and_changes_malicious_updates_alone(fit) -> None:
    free, bounded = Recorder(), Recorder()
    fit(free, FedAvg(), EdgeCase(0.4, tail=0.5), rounds=1, local_steps=3)
    fit(bounded, FedAvg(), EdgeCase(0.4, tail=0.5, bound=0.05), rounds=1, local_steps=3)
    without, within = free.received[0], bounded.received[0]
    malicious = within.malicious
    assert (within.updates[malicious].norm(dim=1) <= 0.05 * (1 + 1e-6)).all()
    assert (without.updates[malicious].norm(dim=1) > 0.05).any()
    assert torch.equal(within.updates[~malicious], without.updates[~malicious])


def test_settings_without_effect(tmp_path: Path) -> None:
    path = tmp_path / "outside.npz"
    np.savez(path, x=np.zeros(1))
    for settings in ({"source_class": 2}, {"tail": 0.5}):
        with pytest.warns(UserWarning, match=r"attack\.\w+=.* has no effect with attack.path="):
            EdgeCase(path=str(path), **settings)
