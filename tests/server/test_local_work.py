"""Malicious clients that train in their own way."""

from functools import partial

import pytest
import torch
from tiny import Recorder, TinyData, TinyImages, mlp, module, parameters_of, trainer
from torch import nn
from torch.nn import functional

from callbacks import FedAvg, LabelFlippingAttack, Median, ScalingAttack
from flt.clients.randomness.state import random_state
from flt.data import FeatureTrigger
from flt.data.inputs import InputPipeline
from flt.errors import InputError
from flt.federation import Attack, Backdoor, LocalUpdates
from flt.server import cohort


class Noting(ScalingAttack):
    """Poisons data, trains as usual by another way, and notes the work."""

    def __init__(self, train=lambda local: local.sgd(local.batches), fraction=0.4, **settings):
        super().__init__(fraction, scale=1.0, **settings)
        self.works, self.own, self.prepared = [], train, []

    def prepare(self, local):
        self.prepared.append(local)

    def train(self, local):
        before = random_state()
        found = self.own(local)
        assert random_state() == before
        self.works.append((local, found))
        return found


def convolution(*norms):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Conv2d(3, 4, 3), *norms, nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


AUGMENTED = InputPipeline(crop_padding=1, flip=True, normalize=True)
ADAM = {"client_optimizer": partial(torch.optim.Adam, lr=0.01), "client_optimizer_state": "kept"}
CASES = {
    "vectors": lambda: {"data": TinyData(batch_size=4), "clients_per_round": 7},
    "steps": lambda: {"local_steps": 3},
    "momentum": lambda: {"clients_per_round": 7, "client_momentum": 0.9, "client_weight_decay": 0.1},
    "adam": lambda: {"local_steps": 2, "client_lr": 0.003, **ADAM},
    "epochs": lambda: {"data": TinyImages(AUGMENTED), "network": convolution(), "local_epochs": 2},
    "dropout": lambda: {"network": nn.Sequential(mlp(), nn.Dropout(0.3)), "local_steps": 2, "clients_per_chunk": 3},
    "images": lambda: {"data": TinyImages(AUGMENTED), "network": convolution(), "local_steps": 2},
    "batch norm": lambda: {"data": TinyImages(AUGMENTED), "network": convolution(nn.BatchNorm2d(4)), "local_steps": 2},
}
each_case = pytest.mark.parametrize("case", CASES)


@each_case
def test_training_as_usual_changes_nothing(fit, case):
    """Of what is sent but rounding, and of benign clients not even that."""
    usual, own, attack = Recorder(), Recorder(), Noting()
    fit(usual, ScalingAttack(0.4, scale=1.0), Median(), rounds=2, **CASES[case]())
    fit(own, attack, Median(), rounds=2, **CASES[case]())
    for one, other in zip(usual.honest[:1], own.honest, strict=False):
        for name in ("updates", "losses", "statistics"):
            expected, found = getattr(one, name), getattr(other, name)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
            assert torch.equal(found[~one.malicious], expected[~one.malicious])
    assert one.malicious.any()
    torch.testing.assert_close(own.parameters[-1], usual.parameters[-1], rtol=1e-4, atol=1e-5)
    for local, found in attack.works:
        for name, each in zip(LocalUpdates._fields, found, strict=True):
            torch.testing.assert_close(each, getattr(local.trained, name), rtol=1e-4, atol=1e-6)


@each_case
def test_honest_batches_are_those_of_a_run_without_attack(fit, case):
    """And what is trained on them is what honest clients send."""
    honest, attack = Recorder(), Noting(lambda local: local.sgd(local.honest))
    fit(honest, FedAvg(), rounds=1, **CASES[case]())
    fit(attack, FedAvg(), rounds=1, **CASES[case]())
    ((local, found), *_), (round,) = attack.works, honest.honest
    rows = torch.isin(round.client_ids, local.client_ids)
    torch.testing.assert_close(found.updates, round.updates[rows], rtol=1e-4, atol=1e-6)
    assert not torch.equal(local.batches.labels, local.honest.labels)


@pytest.mark.parametrize("settings", [{}, {"local_epochs": 1}], ids=["batches", "epochs"])
def test_honest_batches_are_each_client_s_own(fit, settings):
    """Also of added clients that come little by little, in rounds that not everyone takes part in."""
    attack = Noting(fraction=0.2, ramp=12)
    data = TinyData(num_added_clients=4, added_data="copies")
    server = fit(attack, FedAvg(), rounds=12, data=data, clients_per_round=5, **settings)
    held, seen = server.federation.honest, set()
    for local, _ in attack.works:
        for client, features, sizes in zip(local.client_ids, local.honest.features, local.honest.sizes, strict=True):
            own = held.features[held.offsets[client] : held.offsets[client + 1]]
            steps = zip(features, sizes, strict=True)
            assert all((own == each).all(dim=1).any() for step, size in steps for each in step[:size])
            seen.add(int(client))
    assert len(seen) > 1


@each_case
def test_scores_are_those_of_the_model_plus_an_update(fit, case):
    attack = Noting()
    server = fit(attack, FedAvg(), rounds=1, **CASES[case]())
    (local, trained), *_ = attack.works
    features = local.honest.features[:, 0].detach().requires_grad_()
    scores = local.logits(trained.updates, features, trained.statistics)
    for row, (update, change) in enumerate(zip(trained.updates, trained.statistics, strict=True)):
        one = local.logits(update, features[row], change)
        torch.testing.assert_close(scores[row], one, rtol=1e-4, atol=1e-5)
    together = local.logits(trained.updates, features[0], trained.statistics)
    torch.testing.assert_close(together[1], local.logits(trained.updates[1], features[0], trained.statistics[1]))
    (gradient,) = torch.autograd.grad(scores.sum(), features)
    assert gradient.abs().sum() > 0
    updates = trained.updates.clone().requires_grad_()
    assert torch.autograd.grad(local.logits(updates, features[0]).sum(), updates)[0].any()
    assert not local.logits(trained.updates, features[0].detach()).requires_grad
    # After the only round, which FedAvg's aggregate moved the model by, where statistics stayed.
    if case != "batch norm":
        step = server._training.flat.flatten() - local.parameters
        seen = server.eval()(features[0].detach())
        torch.testing.assert_close(local.logits(step, features[0].detach()), seen, rtol=1e-4, atol=1e-5)


def test_further_batches_are_passes_over_ones_own_examples(fit):
    found = []

    def train(local):
        found.append((local, local.draw(2), local.draw(2), local.draw(steps=3, honest=True), local.draw(stream="x")))

    data = TinyData(batch_size=8)
    server = fit(Noting(train), FedAvg(), data=data, rounds=1)
    (local, passes, again, few, other), *_ = found
    for row, client in enumerate(local.client_ids.tolist()):
        for clients, batches, epochs in ((server.federation.clients, passes, 2), (data.clients, few, None)):
            own = [tuple(each) for each in clients.of(client).features.tolist()]
            num_steps = int(batches.steps[row]) if batches.steps is not None else batches.labels.shape[1]
            size = min(8, len(own))
            assert int(batches.sizes[row, 0]) == size
            assert num_steps == (-(-epochs * len(own) // size) if epochs else 3)
            drawn = [tuple(each) for each in batches.features[row, :num_steps, :size].flatten(0, 1).tolist()]
            counts = [drawn.count(each) for each in own]
            assert sum(counts) == num_steps * size  # nobody else's
            assert max(counts) - min(counts) <= 1
    assert torch.equal(passes.features, again.features)
    assert not torch.equal(other.features[:, 0], passes.features[:, 0])
    assert local.sgd(passes).updates.isfinite().all()


def test_parts_of_a_round_do_not_matter(fit, monkeypatch):
    """Nor does it matter to what a client draws who else is in its part."""

    def train(local):
        draws = [torch.rand(1, generator=local.generator("own", client)) for client in local.client_ids.tolist()]
        trained = local.sgd(local.draw(2), lr=0.01)
        return trained._replace(updates=trained.updates * torch.stack(draws))

    monkeypatch.setattr(cohort, "MIN_CLIENTS", 1)
    ends = []
    for clients in (1000, 2):
        monkeypatch.setitem(cohort.PART, "cpu", clients * 96)
        attack = Noting(train)
        ends.append(parameters_of(fit(attack, FedAvg(), rounds=2)))
        assert (len(attack.works) == 2) == (clients == 1000)
        assert [len(local.client_ids) for local in attack.prepared] == [4, 4]  # once a round, of all
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-6)


class Learning(Attack):
    """Learns how large its trigger's value is, by the number of rounds, and says who trained in which round."""

    def __init__(self, fraction=0.4):
        super().__init__(fraction)
        self.seen = []

    def backdoor(self, default):
        return Backdoor(FeatureTrigger([0], value=0.0), default.target_class)

    def current_backdoor(self, default, memory):
        return Backdoor(FeatureTrigger([0], value=memory.get("value", 0.0)), default.target_class)

    def prepare(self, local):
        return {"value": local.memory.get("value", 0.0) + 1.5, "last": local.parameters}

    def train(self, local):
        assert torch.equal(local.memory["last"], local.parameters)
        self.seen.append((local.number, local.memory["value"]))
        alone = local.of(torch.tensor([0]), {})
        assert len(alone.sgd(alone.batches).updates) == len(alone.trained.updates) == 1
        other = local.of(local.client_ids >= 0, {}, local.federation.replace(seed=1))
        assert torch.equal(other.client_ids, local.client_ids)
        draws = [torch.rand(1, generator=each.generator("own")) for each in (local, alone, other)]
        assert [bool(draw == draws[0]) for draw in draws] == [True, True, False]
        return local.sgd(local.batches, lr=-0.01)


def test_what_is_prepared_is_kept_and_the_learnt_trigger_measured(fit, tmp_path):
    attack = Learning()
    run, server = trainer(tmp_path, attack, FedAvg(), rounds=3), module()
    run.fit(server, datamodule=TinyData())
    assert attack.seen == [(0, 1.5), (1, 3.0), (2, 4.5)]
    assert server.backdoor.trigger.value == 4.5
    run.save_checkpoint(tmp_path / "three.ckpt")
    run.test(server, datamodule=TinyData(), verbose=False)
    assert server.backdoor.trigger.value == 4.5
    again = module()
    fresh = trainer(tmp_path, Learning(), FedAvg())
    fresh.test(again, datamodule=TinyData(), ckpt_path=tmp_path / "three.ckpt", verbose=False, weights_only=True)
    assert again.backdoor.trigger.value == 4.5
    resumed = Learning()
    fit(resumed, FedAvg(), rounds=5, ckpt_path=tmp_path / "three.ckpt")
    assert resumed.seen == [(3, 6.0), (4, 7.5)]


def test_rounds_of_nobody_who_attacks(fit):
    """`prepare` is called in them, `train` is not; nor is either where nobody is malicious at all."""
    attack = Noting()
    fit(attack, FedAvg(), rounds=6, clients_per_round=1)
    counts = [len(local.client_ids) for local in attack.prepared]
    assert set(counts) == {0, 1}
    assert len(counts) == 6
    assert len(attack.works) == sum(counts)
    assert attack.prepared[counts.index(0)].draw().labels.shape[0] == 0
    nobody = Noting()
    nobody.fraction = 0.0
    with pytest.warns(UserWarning, match="malicious"):
        fit(nobody, FedAvg())
    assert nobody.prepared == nobody.works == []


def test_usual_loss_is_what_clients_minimise(fit):
    for reduction in ("sum", "mean"):
        attack = Noting(lambda local: local.sgd(local.batches, loss=local.usual_loss))
        fit(attack, FedAvg(), rounds=1, local_steps=2, loss_reduction=reduction)
        (local, found), *_ = attack.works
        torch.testing.assert_close(found.updates, local.trained.updates, rtol=1e-4, atol=1e-6)
        scores, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
        expected = functional.cross_entropy(scores, labels, reduction=reduction)
        torch.testing.assert_close(local.usual_loss(scores, labels, torch.ones(5)), expected)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            lambda local: local.trained.updates,
            r"Noting.train returned a float32 tensor .* in round 0: return what",
        ),
        (lambda local: local.trained._replace(updates=local.trained.updates[:1]), r"as updates in round 0: return a"),
        (lambda local: local.sgd(local.batches.of(slice(1))), "sgd was given .* as batches in round 0: give a row for"),
        (lambda local: local.sgd(local.batches, mask=torch.ones(3)), r"shape \[3\] as mask .* of shape \[4, 83\]"),
        (lambda local: local.sgd(local.batches, loss=lambda *_: torch.ones(2)), "loss returned .* one number"),
        (lambda local: local.sgd(local.batches, project=lambda u: u[:2]), "project returned .* like the update"),
        (lambda local: local.sgd(local.batches, lr=float("nan")), "lr=nan"),
        (lambda local: local.draw(0), "epochs=0 must be at least 1"),
        (lambda local: local.draw(steps=0), "steps=0 must be at least 1"),
    ],
)
def test_mistakes_end_in_one_line(fit, train, message):
    with pytest.raises(InputError, match=message) as error:
        fit(Noting(train), FedAvg())
    assert "\n" not in str(error.value)


def test_with_a_data_attack_of_labels(fit):
    """Poisoned and honest batches of one size are the same examples with other labels."""

    class Flipping(LabelFlippingAttack):
        def train(self, local):
            works.append(local)

    works = []
    fit(Flipping(0.4), FedAvg(), rounds=1)
    assert torch.equal(works[0].batches.features, works[0].honest.features)
    there = works[0].honest.weights == 1
    assert torch.equal(works[0].batches.labels[there], 2 - works[0].honest.labels[there])
