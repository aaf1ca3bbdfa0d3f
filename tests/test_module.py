import re
import warnings
from functools import partial

import pytest
import torch
from tiny import (
    NUM_CLASSES,
    NUM_FEATURES,
    SIZES,
    Recorder,
    Sending,
    TinyData,
    mlp,
    module,
    parameters_of,
    start_of,
    trainer,
)
from torch import nn

from callbacks import FedAvg, FLTrust, Krum, LabelFlippingAttack, NoAttack, ScalingAttack, TrimAttack, TrimmedMean
from flt.batches import draw_batches
from flt.data import Examples, FeatureTrigger
from flt.errors import InputError
from flt.hooks import FederatedCallback
from flt.module import FederatedModule
from flt.random import generator, sample_clients

UNUSABLE = "a round had no usable aggregate .*: model unchanged"
DROPPED = "updates with a NaN or an infinity were dropped"


# One round against a naive reference


def local_update(parameters, batches, client_lr, loss_reduction):
    """``w_i <- w_i - client_lr * grad Loss(batch; w_i)`` for every batch, in float64; returns ``w_i - w``."""
    network = mlp().double()
    nn.utils.vector_to_parameters(parameters.clone(), network.parameters())
    for features, labels in batches:
        network.zero_grad()
        nn.functional.cross_entropy(network(features.double()), labels, reduction=loss_reduction).backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= client_lr * parameter.grad
    return parameters_of(network) - parameters


def naive_rounds(rounds, *, client_lr, local_steps, loss_reduction, batch_size, lr_at=lambda number: 1.0, sampled=10):
    """Updates of FedAvg's rounds, one at a time: yields the aggregate, is sent the new parameters."""
    data = TinyData(batch_size=batch_size)
    data.setup()
    parameters = yield
    for number in range(rounds):
        ids = sample_clients(10, sampled, seed=0, round_number=number)
        rows = draw_batches(  # rows in place of features: which examples are drawn is tested elsewhere
            torch.arange(len(data.clients.labels)),
            data.clients.labels,
            data.clients.offsets[:-1][ids],
            data.clients.sizes[ids],
            local_steps=local_steps,
            batch_size=batch_size,
            generator=generator(0, "batches", number),
        )
        total = sum(len(data.clients.of(int(client)).labels) for client in ids)
        aggregate = torch.zeros_like(parameters)
        for place, client in enumerate(ids):
            batches = []
            for step in range(local_steps):
                chosen = rows.features[place, step][rows.weights[place, step] == 1]
                assert len(chosen) == min(batch_size, int(data.clients.sizes[client]))
                batches.append((data.clients.features[chosen], data.clients.labels[chosen]))
            update = local_update(parameters, batches, client_lr * lr_at(number), loss_reduction)
            aggregate += len(data.clients.of(int(client)).labels) / total * update
        parameters = yield aggregate


@pytest.mark.parametrize("loss_reduction", ["sum", "mean"])
@pytest.mark.parametrize("local_steps", [1, 3])
@pytest.mark.parametrize("server_lr", [1.0, 0.3, 2.0])
def test_rounds_equal_a_naive_reference(fit, loss_reduction, local_steps, server_lr):
    settings = {"client_lr": 0.03, "local_steps": local_steps, "loss_reduction": loss_reduction}
    recorder = Recorder()
    fit(FedAvg(), recorder, server_lr=server_lr, **settings)
    parameters = start_of().double()
    reference = naive_rounds(3, batch_size=8, **settings)
    next(reference)
    for number in range(3):
        parameters = parameters + server_lr * reference.send(parameters)
        torch.testing.assert_close(recorder.parameters[number].double(), parameters, rtol=1e-5, atol=1e-5)


def test_whole_local_data_as_a_batch_need_no_draw(fit):
    """The reference with nothing taken from the package but the data."""
    data = TinyData(batch_size=100)
    recorder = Recorder()
    fit(FedAvg(), recorder, data=data, rounds=1, client_lr=0.01)
    start, aggregate = start_of().double(), 0
    for client in range(10):
        own = data.clients.of(client)
        update = local_update(start, [(own.features, own.labels)], 0.01, "sum")
        torch.testing.assert_close(recorder.honest[0].updates[client].double(), update, rtol=1e-4, atol=1e-6)
        aggregate = aggregate + len(own) * update / (sum(SIZES) - 15)
    torch.testing.assert_close(recorder.parameters[0].double(), start + aggregate, rtol=1e-5, atol=1e-6)


def test_adam_on_the_server(fit):
    """Adam written out, with the aggregate as the negative gradient."""
    settings = {"client_lr": 0.03, "local_steps": 2, "loss_reduction": "sum"}
    recorder = Recorder()
    fit(FedAvg(), recorder, rounds=4, server_optimizer=partial(torch.optim.Adam, lr=0.05), **settings)
    parameters = start_of().double()
    first, second = torch.zeros_like(parameters), torch.zeros_like(parameters)
    reference = naive_rounds(4, batch_size=8, **settings)
    next(reference)
    for number in range(4):
        gradient = -reference.send(parameters)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9 ** (number + 1)), second / (1 - 0.999 ** (number + 1))
        parameters = parameters - 0.05 * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
        torch.testing.assert_close(recorder.parameters[number].double(), parameters, rtol=1e-4, atol=1e-4)


def test_learning_rate_milestones(fit):
    settings = {"client_lr": 0.03, "local_steps": 1, "loss_reduction": "sum"}
    recorder = Recorder()
    fit(FedAvg(), recorder, rounds=5, lr_milestones=[3, 1], lr_gamma=0.1, **settings)
    factors = [1.0, 0.1, 0.1, 0.01, 0.01]
    parameters = start_of().double()
    reference = naive_rounds(5, batch_size=8, lr_at=factors.__getitem__, **settings)
    next(reference)
    for number in range(5):
        parameters = parameters + reference.send(parameters)
        torch.testing.assert_close(recorder.parameters[number].double(), parameters, rtol=1e-5, atol=1e-5)
    assert [module(lr_milestones=[3, 1], lr_gamma=0.1).round_lr(n) for n in range(5)] == pytest.approx(
        [0.02 * factor for factor in factors]
    )


def test_rounds_with_some_of_the_clients(fit):
    settings = {"client_lr": 0.03, "local_steps": 1, "loss_reduction": "sum"}
    recorder = Recorder()
    fit(FedAvg(), recorder, clients_per_round=4, **settings)
    parameters = start_of().double()
    reference = naive_rounds(3, batch_size=8, sampled=4, **settings)
    next(reference)
    for number in range(3):
        parameters = parameters + reference.send(parameters)
        torch.testing.assert_close(recorder.parameters[number].double(), parameters, rtol=1e-5, atol=1e-5)


def test_training_walks_downhill(fit):
    recorder = Recorder()
    server = fit(FedAvg(), recorder, rounds=30)
    losses = [float(round.losses.mean()) for round in recorder.received]
    assert losses[-1] < 0.5 * losses[0]
    assert float(server.trainer.callback_metrics["testing_error_rate"]) < 0.2


# Clients


@pytest.mark.parametrize("local_steps", [1, 2])
@pytest.mark.parametrize("clients_per_round", [None, 5])
def test_clients_per_chunk_changes_nothing(fit, local_steps, clients_per_round):
    """Up to 1e-6: a matrix product may add in another order for another number of clients."""
    results = []
    for chunk in ("auto", 1, 2, 7):
        server = fit(
            FLTrust(),
            TrimAttack(),
            clients_per_chunk=chunk,
            local_steps=local_steps,
            clients_per_round=clients_per_round,
        )
        results.append(parameters_of(server))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-6, atol=1e-6)


def test_clients_without_an_example(fit):
    recorder = Recorder()
    fit(FLTrust(), recorder, data=TinyData(sizes=(30, 0, 20, 0)))
    for round in recorder.received:
        assert not round.updates[[1, 3]].any()
        assert round.updates[[0, 2]].any(dim=1).all()
        assert round.losses[[1, 3]].tolist() == [0, 0]
        assert round.num_examples.tolist() == [len(recorder.received[0].federation.clients.of(i)) for i in range(4)]
    assert recorder.parameters[-1].isfinite().all()


def test_the_same_seed_gives_the_same_run(fit, monkeypatch):
    first = parameters_of(fit(FedAvg(), clients_per_round=4))
    torch.manual_seed(77)
    torch.rand(5)
    assert torch.equal(parameters_of(fit(FedAvg(), clients_per_round=4)), first)
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert not torch.equal(parameters_of(fit(FedAvg(), clients_per_round=4)), first)


def test_sampled_clients(fit):
    recorder = Recorder()
    server = fit(FedAvg(), TrimAttack(fraction=0.3), recorder, rounds=12, clients_per_round=4)
    drawn = [round.client_ids.tolist() for round in recorder.received]
    assert all(len(set(ids)) == len(ids) == 4 for ids in drawn)
    assert len({tuple(ids) for ids in drawn}) > 6
    assert set().union(*drawn) == set(range(10))
    for round in recorder.received:
        assert torch.equal(round.malicious, server.federation.malicious[round.client_ids])
        assert torch.equal(round.num_examples, server.federation.num_examples[round.client_ids])
        assert round.updates.shape == (4, 83)
    again = Recorder()
    fit(FedAvg(), again, rounds=12, clients_per_round=4)
    assert [round.client_ids.tolist() for round in again.received] == drawn


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (0.04, 0), (0.06, 1), (0.2, 2), (0.35, 4), (0.95, 10)])
def test_number_of_malicious_clients(fit, fraction, count):
    """``round(fraction * n)``; Python rounds 3.5 and 9.5 to the even neighbour."""
    server = fit(FedAvg(), LabelFlippingAttack(fraction=fraction), rounds=1)
    assert server.federation.num_malicious == count
    assert server.federation.num_expected == count


def test_malicious_clients_are_fixed_for_a_run_and_differ_between_seeds(fit, monkeypatch):
    chosen = []
    for seed in range(6):
        monkeypatch.setenv("PL_GLOBAL_SEED", str(seed))
        recorder = Recorder()
        fit(FedAvg(), TrimAttack(), recorder)
        masks = {tuple(round.malicious.tolist()) for round in recorder.received}
        assert len(masks) == 1
        chosen.append(masks.pop())
    assert len(set(chosen)) > 1


def test_without_an_attack_nobody_is_malicious_though_rules_expect_some(fit):
    assert fit(Krum(), rounds=1).federation.num_expected == 0
    server = fit(Krum(), NoAttack(), rounds=1)
    assert (server.federation.num_malicious, server.federation.num_expected) == (0, 2)
    assert Krum().describe(server.federation) == "Krum, num_byzantine 2"
    assert TrimmedMean().describe(server.federation) == "TrimmedMean, trim 2"
    assert TrimmedMean(trim=4).describe(server.federation) == "TrimmedMean, trim 4"
    server = fit(Krum(), NoAttack(fraction=0.3), rounds=1)
    assert Krum().describe(server.federation) == "Krum, num_byzantine 3"
    server = fit(TrimmedMean(), NoAttack(fraction=0.4), rounds=1, clients_per_round=5)
    assert TrimmedMean().describe(server.federation) == "TrimmedMean, trim 2"


# The root update


@pytest.mark.parametrize("local_steps", [1, 3])
@pytest.mark.parametrize("loss_reduction", ["sum", "mean"])
def test_the_root_update_is_that_of_a_client_with_the_root_data(fit, local_steps, loss_reduction):
    recorder, data = Recorder(), TinyData()
    settings = {"client_lr": 0.01, "local_steps": local_steps, "loss_reduction": loss_reduction}
    fit(FLTrust(), recorder, data=data, rounds=2, lr_milestones=[1], lr_gamma=0.5, **settings)
    batches = [(data.root.features, data.root.labels)] * local_steps
    for start, lr, round in zip((start_of(), recorder.parameters[0]), (0.01, 0.005), recorder.received, strict=True):
        expected = local_update(start.double(), batches, lr, loss_reduction)
        torch.testing.assert_close(round.root_update.double(), expected, rtol=1e-4, atol=1e-6)


def test_the_root_update_on_a_batch(fit):
    """A batch of all is all; a smaller one is some of the root examples, drawn anew every round."""
    whole, all_drawn, some = Recorder(), Recorder(), Recorder()
    fit(FLTrust(), whole, rounds=1)
    fit(FLTrust(), all_drawn, rounds=1, root_batch_size=15)
    torch.testing.assert_close(all_drawn.received[0].root_update, whole.received[0].root_update, rtol=1e-5, atol=1e-6)
    data = TinyData()
    fit(FLTrust("Server"), some, data=data, rounds=2, root_batch_size=1, client_lr=0.01)
    for start, round in zip((start_of(), some.parameters[0]), some.received, strict=True):
        singles = [
            local_update(start.double(), [(data.root.features[i : i + 1], data.root.labels[i : i + 1])], 0.01, "sum")
            for i in range(15)
        ]
        distances = (torch.stack(singles) - round.root_update.double()).norm(dim=1)
        assert distances.min() < 1e-6


def test_the_root_update_is_made_only_if_somebody_needs_it(fit):
    for callbacks, needed in (((FedAvg(),), False), ((FLTrust(),), True), ((FedAvg(), Recorder(True)), True)):
        recorder = Recorder()
        fit(*callbacks, recorder, rounds=1)
        assert (recorder.received[0].root_update is not None) == needed


@pytest.mark.parametrize("attack", [LabelFlippingAttack, ScalingAttack, TrimAttack])
@pytest.mark.parametrize("root_batch_size", [None, 4])
def test_the_root_update_knows_no_attack(fit, attack, root_batch_size):
    clean, attacked = Recorder(), Recorder()
    fit(FLTrust(), clean, rounds=1, root_batch_size=root_batch_size)
    fit(FLTrust(), attack(fraction=0.9), attacked, rounds=1, root_batch_size=root_batch_size)
    assert torch.equal(attacked.received[0].root_update, clean.received[0].root_update)


def test_the_root_data_are_no_clients_nor_the_test_set(fit):
    data = TinyData()
    fit(FLTrust(), LabelFlippingAttack(), data=data, rounds=1)
    parts = (data.root, data.clients, data.test)
    root, clients, test = ({tuple(row) for row in part.features.tolist()} for part in parts)
    assert (len(root), len(clients), len(test)) == (15, sum(SIZES) - 15, 50)
    assert not root & clients
    assert not root & test
    assert not clients & test


# Updates that cannot be used


class Root(FederatedCallback):
    """Makes the server's own update, and if asked the clients', something else."""

    def __init__(self, change, clients=None):
        self.change, self.clients = change, clients

    def on_client_updates(self, round):
        root = self.change(round.root_update)
        return round.replace(
            root_update=root, updates=round.updates if self.clients is None else self.clients(round.updates, root)
        )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_updates_that_are_not_finite_are_dropped(fit, rule, value):
    """What the rule makes of the others, expecting as many malicious clients fewer, is the reference's result."""
    recorder, sent = Recorder(needs_root_update=True), Sending(value, rows=(0, 3))
    with pytest.warns(UserWarning, match=DROPPED):
        fit(rule.make(), NoAttack(fraction=0.3), sent, recorder, rounds=2)
    start = start_of()
    for (round, _), after in zip(recorder.ended, recorder.parameters, strict=True):
        assert round.num_dropped == 2
        assert round.client_ids.tolist() == [1, 2, 4, 5, 6, 7, 8, 9]
        inputs = (round.updates, round.root_update, round.num_examples)
        expected = rule.reference(*(tensor.double().numpy() for tensor in inputs), 1)
        torch.testing.assert_close(after.double(), start.double() + torch.tensor(expected), rtol=1e-5, atol=1e-5)
        start = after


@pytest.mark.parametrize("left", [1, 2, 3, 4])
def test_few_updates_left(fit, rule, left):
    with pytest.warns(UserWarning, match=DROPPED):
        server = fit(rule.make(), NoAttack(fraction=0.3), Sending(float("nan"), tuple(range(left, 10))))
    assert parameters_of(server).isfinite().all()
    assert not torch.equal(parameters_of(server), start_of())


def test_no_update_left(fit, rule):
    recorder = Recorder()
    with pytest.warns(UserWarning, match=UNUSABLE), pytest.warns(UserWarning, match=DROPPED):
        server = fit(rule.make(), Sending(float("nan"), tuple(range(10))), recorder)
    assert torch.equal(parameters_of(server), start_of())
    assert [round.num_dropped for round, _ in recorder.ended] == [10, 10, 10]
    assert not recorder.ended[0][1].update.any()


def test_a_root_update_that_is_not_finite(fit, rule):
    callbacks = (rule.make(), Root(lambda root: root * float("nan")), Recorder(needs_root_update=True))
    if callbacks[0].needs_root_update:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            server = fit(*callbacks)
        assert torch.equal(parameters_of(server), start_of())
        messages = {str(warning.message) for warning in warned if warning.category is UserWarning}
        assert len(messages) == 1, messages  # naming the cause, and no other
        assert re.match(UNUSABLE, messages.pop())
    else:
        assert not torch.equal(parameters_of(fit(*callbacks)), start_of())


def test_a_root_update_of_zero(fit, rule):
    if not rule.make().needs_root_update:
        return
    callbacks = (rule.make(), Root(torch.zeros_like))
    if rule.name == "FLTrust-Server":
        server = fit(*callbacks)
    else:
        with pytest.warns(UserWarning, match="FLTrust: the root update is zero in a round; no client takes part"):
            server = fit(*callbacks)
    assert torch.equal(parameters_of(server), start_of())


@pytest.mark.parametrize("variant", ["FLTrust", "NoNorm", "ParNorm"])
def test_nobody_is_trusted(fit, variant):
    opposite = Root(lambda root: root, clients=lambda updates, root: -root.expand_as(updates))
    recorder = Recorder()
    with pytest.warns(UserWarning, match="FLTrust: every trust score is 0 in a round; no client takes part"):
        server = fit(FLTrust(variant), opposite, recorder)
    assert torch.equal(parameters_of(server), start_of())
    assert recorder.ended[0][1].trust_scores.tolist() == [0] * 10


def test_nobody_is_trusted_but_the_server(fit):
    opposite = Root(lambda root: root, clients=lambda updates, root: -root.expand_as(updates))
    recorder = Recorder()
    with pytest.warns(UserWarning, match="FLTrust: every trust score is 0 in a round"):
        fit(FLTrust("withServer"), opposite, recorder, rounds=1)
    round, aggregate = recorder.ended[0]
    torch.testing.assert_close(aggregate.update, round.root_update)


def test_a_client_whose_data_hold_a_nan_spoils_its_own_update_only(fit):
    """Though the others' padding repeats the first example of all."""

    class Poisoned(TinyData):
        def setup(self, stage=None):
            super().setup(stage)
            self.clients.features[0] = float("nan")

    recorder = Recorder()
    with pytest.warns(UserWarning, match=DROPPED):
        fit(FedAvg(), recorder, data=Poisoned(batch_size=30), rounds=1)
    assert recorder.ended[0][0].client_ids.tolist() == list(range(1, 10))


# Evaluation


class Fixed(nn.Module):
    """Scores that can be worked out by hand: the class is where the largest of the first three features is."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, features):
        return self.scale * features[:, :NUM_CLASSES]


class ByHand(TinyData):
    """Seven test examples, all else zero; with the trigger, feature 1 is 5."""

    trigger = FeatureTrigger([1], value=5.0)
    target_class = 1

    def load(self, seed):
        features = torch.zeros(7, NUM_FEATURES)
        features[:, :3] = torch.tensor(
            [
                [9.0, 0.0, 0.0],  # class 0; the trigger's 5 is not enough
                [4.0, 0.0, 0.0],  # class 0; with the trigger 1
                [0.0, 0.0, 9.0],  # predicted 2
                [0.0, 4.0, 0.0],  # predicted 1
                [0.0, 9.0, 0.0],  # predicted 1; with the trigger, 5 instead of 9, still 1
                [0.0, 0.0, 4.0],  # predicted 2; with the trigger 1
                [6.0, 0.0, 0.0],  # predicted 0
            ]
        )
        labels = torch.tensor([0, 0, 0, 1, 1, 2, 1])
        raw = super().load(seed)
        return type(raw)(raw.train, raw.owners, Examples(features, labels), False, raw.num_clients)


def rates(run):
    return {name: float(value) for name, value in run.callback_metrics.items()}


@pytest.mark.parametrize("eval_batch_size", [1, 2, 3, 7, 100])
def test_rates_worked_out_by_hand(tmp_path, eval_batch_size):
    """Two of seven are wrong; of the four whose class is not 1, two are taken for 1 under the trigger."""
    run = trainer(tmp_path, ScalingAttack())
    for evaluate in (run.validate, run.test):
        evaluate(module(Fixed()), datamodule=ByHand(eval_batch_size=eval_batch_size), verbose=False)
        assert rates(run) == {"testing_error_rate": pytest.approx(2 / 7), "attack_success_rate": pytest.approx(2 / 4)}


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_evaluations_return_the_rates(tmp_path, stage):
    run = trainer(tmp_path, ScalingAttack())
    returned = getattr(run, stage)(module(Fixed()), datamodule=ByHand(), verbose=False)
    assert returned == [{"testing_error_rate": pytest.approx(2 / 7), "attack_success_rate": pytest.approx(2 / 4)}]


def test_rates_with_the_attacks_own_trigger_and_target(tmp_path):
    """Feature 0 becomes 7: of the four whose class is not 0, that is less than the 9 of the fifth example only."""
    run = trainer(tmp_path, ScalingAttack(trigger=FeatureTrigger([0], value=7.0), target_class=0))
    run.validate(module(Fixed()), datamodule=ByHand(), verbose=False)
    assert rates(run)["attack_success_rate"] == pytest.approx(3 / 4)


@pytest.mark.parametrize("attack", [None, NoAttack, LabelFlippingAttack, TrimAttack])
def test_no_success_rate_without_a_backdoor(tmp_path, attack):
    run = trainer(tmp_path, *([attack()] if attack else []))
    run.validate(module(Fixed()), datamodule=ByHand(), verbose=False)
    assert rates(run) == {"testing_error_rate": pytest.approx(2 / 7)}


def test_rates_after_training_equal_those_counted_one_by_one(fit):
    data = TinyData()
    server = fit(FedAvg(), ScalingAttack(scale=1.0), data=data, rounds=5)
    wrong = taken = others = 0
    for features, label in zip(data.test.features, data.test.labels, strict=True):
        wrong += int(server.network(features[None]).argmax() != label)
        triggered = features.clone()
        triggered[[0, 5]] = 3.0
        if label != 1:
            others += 1
            taken += int(server.network(triggered[None]).argmax() == 1)
    metrics = server.trainer.callback_metrics
    assert float(metrics["testing_error_rate"]) == pytest.approx(wrong / 50)
    assert float(metrics["attack_success_rate"]) == pytest.approx(taken / others)
    assert 0 < taken < others


def test_an_evaluation_batch_of_the_target_class_only(tmp_path):
    class Sorted(ByHand):
        def load(self, seed):
            raw = super().load(seed)
            return type(raw)(raw.train, raw.owners, raw.test[raw.test.labels.argsort()], False, raw.num_clients)

    run = trainer(tmp_path, ScalingAttack())
    run.validate(module(Fixed()), datamodule=Sorted(eval_batch_size=3), verbose=False)
    assert rates(run)["attack_success_rate"] == pytest.approx(2 / 4)


def test_predictions(tmp_path):
    predictions = trainer(tmp_path).predict(module(Fixed()), datamodule=ByHand(eval_batch_size=3))
    labels, predicted = (torch.cat(parts) for parts in zip(*predictions, strict=True))
    assert labels.tolist() == [0, 0, 0, 1, 1, 2, 1]
    assert predicted.tolist() == [0, 0, 2, 1, 1, 2, 0]


@pytest.mark.parametrize(("rounds", "interval", "evaluated"), [(5, 2, [2, 4, 5]), (4, 2, [2, 4]), (3, 1, [1, 2, 3])])
def test_the_last_round_is_always_evaluated_and_never_twice(fit, rounds, interval, evaluated):
    seen = []

    class Noting(FederatedCallback):
        def on_validation_end(self, trainer, pl_module):
            seen.append(trainer.global_step)

    fit(FedAvg(), Noting(), rounds=rounds, trainer_settings={"val_check_interval": interval})
    assert seen == evaluated


# Precision


@pytest.mark.parametrize("local_steps", [1, 2])
def test_bf16_mixed(fit, local_steps):
    exact = parameters_of(fit(FLTrust(), TrimAttack(), local_steps=local_steps))
    recorder = Recorder()
    bf16 = {"precision": "bf16-mixed"}
    server = fit(FLTrust(), TrimAttack(), recorder, trainer_settings=bf16, local_steps=local_steps)
    for round, aggregate in recorder.ended:
        assert round.updates.dtype == round.root_update.dtype == aggregate.update.dtype == torch.float32
    parameters = parameters_of(server)
    assert parameters.dtype == torch.float32
    torch.testing.assert_close(parameters, exact, rtol=0.05, atol=0.02)
    assert not torch.equal(parameters, exact)


# Mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"local_steps": 0}, "model.local_steps=0 must be at least 1"),
        ({"root_batch_size": 0}, "model.root_batch_size=0 must be at least 1"),
        ({"clients_per_round": 0}, "model.clients_per_round=0 must be at least 1"),
        ({"clients_per_round": -3}, "model.clients_per_round=-3 must be at least 1"),
        ({"clients_per_chunk": 0}, "model.clients_per_chunk=0 must be at least 1"),
        ({"client_lr": 0.0}, "model.client_lr=0.0 must be a finite number above 0"),
        ({"client_lr": float("nan")}, "model.client_lr=nan must be a finite number above 0"),
        ({"server_lr": float("inf")}, "model.server_lr=inf must be a finite number above 0"),
        ({"lr_gamma": -0.5}, "model.lr_gamma=-0.5 must be a finite number above 0"),
        (
            {"server_lr": 0.5, "server_optimizer": torch.optim.Adam},
            "model.server_lr=0.5 has no effect with model.server_optimizer: set its own lr",
        ),
        ({"loss_reduction": "median"}, "loss_reduction='median': choose one of sum, mean"),
        ({"initialization": "zeros"}, "initialization='zeros': choose one of network, xavier"),
        ({"lr_milestones": [-1]}, "lr_milestones"),
    ],
    ids=str,
)
def test_arguments_out_of_range(settings, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        FederatedModule(mlp(), **settings)


@pytest.mark.parametrize(
    ("callbacks", "settings", "message"),
    [
        ([FedAvg], {"clients_per_round": 11}, r"model\.clients_per_round=11 exceeds the 10 clients of the data"),
        ([FLTrust], {"root_batch_size": 16}, r"model\.root_batch_size=16 exceeds data\.root_size=15; null takes all"),
        ([partial(Krum, 4)], {}, r"num_byzantine=4: Krum needs num_clients >= 2 \* num_byzantine \+ 3.*10.*at most 3"),
        ([partial(Krum, -1)], {}, "num_byzantine=-1"),
        ([Krum, partial(TrimAttack, 0.4)], {}, "num_byzantine=4: Krum needs"),
        ([Krum], {"clients_per_round": 2}, "num_byzantine=0: Krum needs .* there are 2 clients"),
        ([partial(TrimmedMean, 5)], {}, r"trim=5 must be at least 0 and less than half of the 10 clients \(at most 4"),
        ([partial(TrimmedMean, -1)], {}, "trim=-1 must be at least 0"),
        ([TrimmedMean, partial(TrimAttack, 0.5)], {}, "trim=5 must be at least 0 and less than half of the 10"),
        ([FedAvg, partial(ScalingAttack, target_class=3)], {}, r"attack\.target_class=3 must be one of 0 to 2"),
        ([FedAvg, partial(ScalingAttack, trigger=FeatureTrigger([12]))], {}, "indices of a trigger reach 12"),
        ([FedAvg], {"network": nn.Linear(13, 3)}, r"model\.network Linear cannot take examples of shape \[12\]"),
        ([FedAvg], {"network": nn.Linear(12, 4)}, r"model\.network Linear gives scores of shape \[1, 4\]"),
        ([FedAvg], {"network": nn.Sequential(mlp(), nn.BatchNorm1d(3))}, "Sequential has buffers"),
        ([FedAvg], {"network": nn.Flatten()}, "Flatten has no parameters to train"),
    ],
)
def test_settings_that_do_not_fit_each_other(tmp_path, callbacks, settings, message):
    run = trainer(tmp_path, *(make() for make in callbacks))
    with pytest.raises(InputError, match=message):
        run.fit(module(**settings), datamodule=TinyData())


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_precisions_that_are_refused(tmp_path, precision):
    with pytest.raises(InputError, match=rf"trainer\.precision={precision} is not supported"):
        trainer(tmp_path, FedAvg(), precision=precision).fit(module(), datamodule=TinyData())


def test_other_data_modules_are_refused(tmp_path):
    with pytest.raises(InputError, match="the data module is a NoneType: give a FederatedDataModule, such as HAR"):
        trainer(tmp_path, FedAvg()).fit(module(), [0], [0])


def test_evaluating_needs_no_rule(tmp_path):
    run = trainer(tmp_path)
    run.validate(module(), datamodule=TinyData(), verbose=False)
    assert list(run.callback_metrics) == ["testing_error_rate"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["client_lr 0.02 x server_lr 1 = 0.02 on the sum over a batch of 8", "(0.16 on its mean)"]),
        ({"server_lr": 0.5}, ["client_lr 0.02 x server_lr 0.5 = 0.01 on the sum", "(0.08 on its mean)"]),
        ({"loss_reduction": "mean", "local_steps": 3}, ["= 0.02 on the mean over a batch of 8, 3 local steps"]),
        ({"server_optimizer": torch.optim.Adam}, ["client_lr 0.02 on the sum over a batch of 8"]),
    ],
)
def test_the_step_in_words(fit, settings, words):
    server = fit(FedAvg(), rounds=1, **settings)
    assert all(word in server.describe_step() for word in words)
