from functools import partial

import pytest
import torch
from tiny import Recorder, TinyData, draw_batches, mlp, module, parameters_of, start_of, trainer
from torch import nn

from callbacks import (
    FLAME,
    FLOD,
    AFLGuard,
    ClippedClustering,
    FedAvg,
    FLDetector,
    FLTrust,
    FoolsGold,
    Krum,
    LabelFlipping,
    NoAttack,
    ScalingAttack,
    SignGuard,
    TrimAttack,
    TrimmedMean,
)
from callbacks.reporting.summary import describe_step
from flt.data import FeatureTrigger
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, FederatedCallback
from flt.module import FederatedModule
from flt.random import generator, sample_clients

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


ROUNDS = {
    "all": ({"server_lr": 2.0}, {}),
    "some, several steps": (
        {"server_lr": 0.3, "loss_reduction": "mean", "local_steps": 3, "clients_per_round": 4},
        {"sampled": 4},
    ),
    "milestones": (
        {"lr_milestones": [3, 1], "lr_gamma": 0.1},
        {"lr_at": [1.0, 0.1, 0.1, 0.01, 0.01].__getitem__},
    ),
    "schedule": (
        {"lr_schedule": partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)},
        {"lr_at": [1.0, 0.5, 0.25, 0.125, 0.0625].__getitem__},
    ),
}


@pytest.mark.parametrize("case", ROUNDS)
def test_rounds_equal_a_naive_reference(fit, case):
    settings, told = ROUNDS[case]
    recorder = Recorder()
    fit(FedAvg(), recorder, client_lr=0.03, rounds=5, **settings)
    same = {name: settings.get(name, default) for name, default in (("local_steps", 1), ("loss_reduction", "sum"))}
    reference = naive_rounds(5, batch_size=8, client_lr=0.03, **same, **told)
    next(reference)
    parameters = start_of().double()
    for after in recorder.parameters:
        parameters = parameters + settings.get("server_lr", 1.0) * reference.send(parameters)
        torch.testing.assert_close(after.double(), parameters, rtol=1e-5, atol=1e-5)


def test_adam_on_the_server(fit):
    """Adam written out, with the aggregate as the negative gradient."""
    recorder = Recorder()
    fit(FedAvg(), recorder, rounds=4, server_optimizer=partial(torch.optim.Adam, lr=0.05))
    parameters = start_of().double()
    first, second = torch.zeros_like(parameters), torch.zeros_like(parameters)
    for number, ((_, aggregate), after) in enumerate(zip(recorder.ended, recorder.parameters, strict=True), start=1):
        gradient = -aggregate.update.double()
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9**number), second / (1 - 0.999**number)
        parameters = parameters - 0.05 * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
        torch.testing.assert_close(after.double(), parameters, rtol=1e-4, atol=1e-4)


def test_training_walks_downhill(fit):
    recorder = Recorder()
    server = fit(FedAvg(), recorder, rounds=30)
    losses = [float(round.losses.mean()) for round in recorder.received]
    assert losses[-1] < 0.5 * losses[0]
    assert float(server.trainer.callback_metrics["testing_error_rate"]) < 0.2


# Clients


def test_clients_without_an_example(fit):
    recorder = Recorder()
    with pytest.warns(UserWarning, match="FLTrust: an update was zero in a round; its trust score is 0"):
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


@pytest.mark.filterwarnings("ignore:attack.fraction=.* makes none of:UserWarning")
@pytest.mark.parametrize(("fraction", "count"), [(0.04, 0), (0.35, 4), (0.85, 8)])
def test_number_of_malicious_clients(fit, fraction, count):
    """``round(fraction * n)``; Python rounds 3.5 and 8.5 to the even neighbour."""
    server = fit(FedAvg(), LabelFlipping(fraction=fraction), rounds=1)
    assert server.federation.num_malicious == count
    assert server.federation.num_byzantine == count


def test_without_an_attack_nobody_is_malicious_though_rules_may_assume_some(fit):
    assert fit(Krum(), NoAttack(), rounds=1).federation.num_byzantine == 0
    server = fit(Krum(), NoAttack(), rounds=1, num_byzantine=2)
    assert (server.federation.num_malicious, server.federation.num_byzantine) == (0, 2)
    assert Krum().describe(server.federation) == "Krum, num_byzantine 2"
    assert TrimmedMean().describe(server.federation) == "TrimmedMean, trim 2"
    assert TrimmedMean(trim=4).describe(server.federation) == "TrimmedMean, trim 4"
    server = fit(TrimmedMean(), rounds=1, clients_per_round=5, num_byzantine=4)
    assert TrimmedMean().describe(server.federation) == "TrimmedMean, trim 2"
    assert fit(Krum(), TrimAttack(0.3), rounds=1, num_byzantine=1).federation.byzantine_per_round == 1


def test_a_run_of_version_0_1_without_an_attack_still_assumes_a_fraction(fit):
    with pytest.warns(UserWarning, match=r"attack.fraction=0.2 of NoAttack lets Krum assume 2 .*num_byzantine=2"):
        server = fit(Krum(), NoAttack(0.2), rounds=1)
    assert (server.federation.num_malicious, server.federation.num_byzantine) == (0, 2)
    assert fit(FedAvg(), NoAttack(0.2), rounds=1).federation.num_malicious == 0


@pytest.mark.parametrize("number", [-1, 10])
def test_an_assumed_number_that_leaves_nobody_benign(fit, number):
    with pytest.raises(InputError, match=f"model.num_byzantine={number} must be 0 or more and less than the 10 "):
        fit(Krum(), rounds=1, num_byzantine=number)


# The root update


@pytest.mark.parametrize(("local_steps", "loss_reduction"), [(1, "mean"), (3, "sum")])
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
    fit(FLTrust(variant="Server"), some, data=data, rounds=2, root_batch_size=1, client_lr=0.01)
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


def test_the_root_update_knows_no_attack(fit):
    clean, attacked = Recorder(), Recorder()
    fit(FLTrust(), clean, rounds=1, root_batch_size=4)
    fit(FLTrust(), ScalingAttack(fraction=0.9), attacked, rounds=1, root_batch_size=4)
    assert torch.equal(attacked.received[0].root_update, clean.received[0].root_update)


# Precision


def test_bf16_mixed(fit):
    exact = parameters_of(fit(FLTrust(), TrimAttack(), local_steps=2))
    recorder = Recorder()
    bf16 = {"precision": "bf16-mixed"}
    server = fit(FLTrust(), TrimAttack(), recorder, trainer_settings=bf16, local_steps=2)
    for round, aggregate in recorder.ended:
        assert round.updates.dtype == round.root_update.dtype == aggregate.update.dtype == torch.float32
    parameters = parameters_of(server)
    assert parameters.dtype == torch.float32
    torch.testing.assert_close(parameters, exact, rtol=0.05, atol=0.02)
    assert not torch.equal(parameters, exact)


def test_rules_and_hooks_compute_in_float32(fit):
    """Autocast would make bfloat16 of their products, which no round takes."""

    class Product(Aggregation):
        def aggregate(self, round):
            return Aggregate(torch.full((len(round),), 0.1) @ round.updates)

    class Permuted(FederatedCallback):
        def on_client_updates(self, round):
            return round.replace(updates=torch.eye(len(round)).flip(0) @ round.updates)

    fit(Product(), Permuted(), rounds=1, trainer_settings={"precision": "bf16-mixed"})


# Mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"local_steps": 0}, "model.local_steps=0 must be at least 1"),
        ({"local_steps": 2, "local_epochs": 1}, "local_epochs=1 takes the place of model.local_steps=2: leave out one"),
        ({"root_batch_size": 0}, "model.root_batch_size=0 must be at least 1"),
        ({"clients_per_round": 0}, "model.clients_per_round=0 must be at least 1"),
        ({"clients_per_round": -3}, "model.clients_per_round=-3 must be at least 1"),
        ({"clients_per_chunk": 0}, "model.clients_per_chunk=0 must be at least 1"),
        ({"client_lr": 0.0}, "model.client_lr=0.0 must be a finite number greater than 0"),
        ({"client_lr": float("nan")}, "model.client_lr=nan must be a finite number greater than 0"),
        ({"server_lr": float("inf")}, "model.server_lr=inf must be a finite number greater than 0"),
        ({"lr_gamma": -0.5}, "model.lr_gamma=-0.5 must be a finite number greater than 0"),
        (
            {"server_lr": 0.5, "server_optimizer": torch.optim.Adam},
            "model.server_lr=0.5 has no effect with model.server_optimizer: set its own lr",
        ),
        ({"loss_reduction": "median"}, "loss_reduction='median': choose one of sum, mean"),
        ({"client_optimizer": "Adam"}, "model.client_optimizer is a str: give a class, or a function from parameters"),
        ({"client_weight_decay": -0.1}, "model.client_weight_decay=-0.1 must be a number from 0 to"),
        ({"random_layers": "same"}, "random_layers='same': choose one of fresh, repeated"),
        ({"initialization": "zeros"}, "initialization='zeros': choose one of network, xavier"),
        ({"lr_milestones": [-1]}, "lr_milestones"),
        ({"lr_milestones": [1], "lr_schedule": torch.optim.lr_scheduler.StepLR}, "two schedules: leave out one"),
    ],
    ids=str,
)
def test_arguments_out_of_range(settings, message):
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        FederatedModule(mlp(), **settings)


def test_krum_beyond_its_proof_warns(fit):
    with pytest.warns(UserWarning, match="proven to tolerate 4 malicious among 11 clients"):
        fit(Krum(4))


@pytest.mark.parametrize(
    ("callbacks", "settings", "message"),
    [
        ([FedAvg], {"clients_per_round": 11}, r"model\.clients_per_round=11 exceeds the 10 clients of the data"),
        ([FLTrust], {"root_batch_size": 16}, r"model\.root_batch_size=16 exceeds data\.root_size=15; null takes all"),
        (
            [partial(Krum, 8)],
            {},
            r"num_byzantine=8 does not fit Krum of 10 updates, .* num_byzantine \+ 3 .* \(at most 7\)",
        ),
        ([partial(Krum, -1)], {}, "num_byzantine=-1"),
        (
            [Krum, partial(TrimAttack, 0.8)],
            {},
            "num_byzantine=8, as many malicious clients as are assumed, does not fit Krum",
        ),
        (
            [Krum],
            {"clients_per_round": 2},
            r"num_byzantine=0.* does not fit Krum of 2 updates.*\(with so few there is none\)",
        ),
        (
            [partial(TrimmedMean, 5)],
            {},
            r"trim=5 does not fit TrimmedMean of 10 updates, which needs 2 \* trim \+ 1 .* \(at most 4\)",
        ),
        ([partial(TrimmedMean, -1)], {}, "trim=-1 does not fit TrimmedMean.*: set it to 0 or more"),
        (
            [TrimmedMean, partial(TrimAttack, 0.5)],
            {},
            "trim=5, as many malicious clients as are assumed, does not fit TrimmedMean of 10",
        ),
        (
            [FLAME],
            {"clients_per_round": 2},
            r"FLAME needs 3 updates .* and gets 2: raise model\.clients_",
        ),
        ([partial(AFLGuard, tolerance=0)], {}, r"aggregation\.tolerance=0 must be a finite number greater than 0"),
        ([partial(FLOD, step=-1)], {}, r"aggregation\.step=-1 must be a finite number greater than 0"),
        ([partial(FLOD, step=1, tolerance=2)], {}, r"aggregation\.tolerance=2 must be above 0 and at most 1"),
        ([partial(FLTrust, least_cosine=1)], {}, r"aggregation\.least_cosine=1 must be a cosine of 0 or more and less"),
        (
            [partial(FLTrust, score="signed", least_cosine=0.1)],
            {},
            r"aggregation\.least_cosine=0\.1 has no effect with score signed",
        ),
        ([ClippedClustering], {"clients_per_round": 1}, "ClippedClustering needs 2 updates"),
        ([SignGuard], {"clients_per_round": 2}, "SignGuard needs 3 updates"),
        ([partial(SignGuard, share=0)], {}, r"aggregation\.share=0 must be above 0 and at most 1"),
        ([partial(SignGuard, "angle")], {}, r"aggregation\.feature='angle': choose one of none, cosine, distance"),
        ([FLDetector], {"clients_per_round": 2}, "FLDetector needs 3 updates"),
        ([FoolsGold], {"clients_per_round": 1}, r"FoolsGold needs 2 updates .* and gets 1: raise model\.clients_"),
        ([partial(FoolsGold, confidence=0)], {}, r"aggregation\.confidence=0 must be a finite number greater than 0"),
        ([partial(FLAME, noise=-1)], {}, r"aggregation\.noise=-1 must be a finite number of 0 or more"),
        ([FedAvg, partial(TrimAttack, 0.96)], {}, r"attack\.fraction=0\.96 leaves none of 10 clients benign"),
        ([FedAvg, partial(ScalingAttack, target_class=3)], {}, r"attack\.target_class=3 must be one of 0 to 2"),
        ([FedAvg, partial(ScalingAttack, trigger=FeatureTrigger([12]))], {}, "indices of a trigger reach 12"),
        ([FedAvg], {"trainer_settings": {"precision": "64-true"}}, r"trainer\.precision=64-true is not supported"),
        ([FedAvg], {"network": nn.Linear(13, 3)}, r"model\.network Linear cannot take examples of shape \[12\]"),
    ],
)
def test_settings_that_do_not_fit_each_other(fit, callbacks, settings, message):
    with pytest.raises(InputError, match=message):
        fit(*(make() for make in callbacks), **settings)


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
        ({"loss_reduction": "mean", "local_steps": 3}, ["= 0.02 on the mean over a batch of 8, 3 local steps"]),
        (
            {"client_momentum": 0.9, "momentum_scaling": "damped", "client_weight_decay": 0.1, "clip_gradient": 2.0},
            ["its mean), momentum 0.9 damped, gradients clipped to 2, weight decay 0.1"],
        ),
        (
            {"lr_schedule": partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5), "rounds": 2},
            [", client_lr from 0.01 to 0.02 by ExponentialLR(gamma=0.5)"],
        ),
        ({"data": TinyData(batch_size=None)}, ["= 0.02 on the sum over all examples of a client"]),
        ({"local_epochs": 2}, [", 2 local epochs of 2 to 8 steps in all"]),
        ({"server_optimizer": torch.optim.Adam}, ["client_lr 0.02 on the sum over a batch of 8"]),
    ],
)
def test_the_step_in_words(fit, settings, words):
    server = fit(FedAvg(), **{"rounds": 1} | settings)
    assert all(word in describe_step(server) for word in words)
