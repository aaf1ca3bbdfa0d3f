"""The strategy: as the simulator under every rule, and unmoved by what clients may send."""

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from catalogue import Rule
from flower_grid import LocalGrid, reply_to
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from torch import nn

import callbacks
from flt.cli.training import Run
from flt.errors import InputError
from flt.flower import ConfiguredClients, Report, RobustStrategy, RootTraining, attack_mod
from flt.flower.members import Members
from flt.flower.replies import Space

ROUNDS = 4


def configured(
    folder: Path, *callbacks: object, network: nn.Module | None = None, **settings: object
) -> ConfiguredClients:
    model = tiny.module(network, **settings)
    return ConfiguredClients(Run("fit", model, tiny.TinyData(), tiny.trainer(folder, *callbacks, rounds=ROUNDS), {}))


def in_flower(clients: ConfiguredClients) -> torch.Tensor:
    """All tensors of the network after the rounds."""
    mod, strategy = attack_mod(local=clients), clients.strategy(report=False)
    grid = LocalGrid([lambda message, context: mod(message, context, clients.train)] * len(tiny.SIZES))
    # Else learnt from first replies; then the cohorts of the first rounds are others than the simulator's.
    strategy.members.places = {node: node - 101 for node in grid.apps}
    clients.load(strategy.start(grid, clients.initial_arrays, num_rounds=ROUNDS).arrays)
    assert not strategy.dropped
    return state_of(clients.module.network)


def state_of(network: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_as_the_simulator(rule: Rule, tmp_path: Path) -> None:
    attack = partial(callbacks.ScalingAttack, 0.2)
    simulated = tiny.fit(tmp_path, rule.make(), attack(), rounds=ROUNDS)
    found = in_flower(configured(tmp_path, rule.make(), attack()))
    assert torch.allclose(found, state_of(simulated.network), atol=1e-6)


def normalised() -> nn.Module:
    """With float and integer buffers, and one layer that nobody trains."""
    network = nn.Sequential(nn.Linear(12, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    network[0].weight.requires_grad = False
    return network


@pytest.mark.parametrize(
    ("attack", "settings"),
    [
        (None, {"network": normalised, "local_steps": 2}),
        (partial(callbacks.LabelFlipping, 0.3, "dynamic"), {}),
        (partial(callbacks.SignFlip, fraction=0.3, start_round=1, every=2), {"lr_milestones": [1]}),
        (partial(callbacks.ScalingAttack, 0.2, redraw=True), {"clients_per_round": 6, "local_epochs": 1}),
        (partial(callbacks.GaussianNoise, "add", fraction=0.3), {"clients_per_round": 6}),
        (partial(callbacks.FreeRider, sigma=0.1, fraction=0.3), {}),
        (partial(callbacks.MPAF, 1.0, fraction=0.3), {}),
    ],
    ids=["batch norm", "own training", "schedule", "sampled", "noise", "free riders", "one stream"],
)
def test_settings_as_in_the_simulator(attack: object, settings: dict[str, object], tmp_path: Path) -> None:
    def given() -> tuple[list[object], dict[str, object]]:
        torch.manual_seed(1)
        network = settings["network"]() if "network" in settings else None
        return [callbacks.FLTrust(), *([attack()] if attack else [])], {**settings, "network": network}

    (plugins, own), (others, own_again) = given(), given()
    simulated = tiny.fit(tmp_path, *plugins, rounds=ROUNDS, **own)
    clients = configured(tmp_path, *others, **own_again)
    assert torch.allclose(in_flower(clients), state_of(simulated.network), atol=1e-6)


# Any client app

WEIGHTS = {"w": np.array([1.0, 2.0, 3.0], np.float32), "steps": np.array(4)}


def honest(message: Message, context: object) -> Message:
    return reply_to(message, {"w": WEIGHTS["w"] + 1, "steps": np.array(9)}, **{"num-examples": 5, "train-loss": 0.5})


def changed(**changes: object) -> object:
    return lambda message, context: reply_to(message, {**WEIGHTS, **changes}, **{"num-examples": 10**12})


def with_arrays(**arrays: Array) -> object:
    def node(message: Message, context: object) -> Message:
        kept = {name: Array(value) for name, value in WEIGHTS.items()}
        return Message(RecordDict({"arrays": ArrayRecord(kept | arrays)}), reply_to=message)

    return node


def two_records(message: Message, context: object) -> Message:
    reply = honest(message, context)
    reply.content["more"] = reply.content["arrays"]
    return reply


def failing(message: Message, context: object) -> Message:
    return Message(Error(1, "out of\nmemory"), reply_to=message)


def raising(message: Message, context: object) -> Message:
    raise ValueError("no object of Flower's")


BYTES = Array(WEIGHTS["w"]).data
HOSTILE = {
    "not-finite": changed(w=np.array([np.nan, 0, 0], np.float32)),
    "shape": changed(w=np.zeros((3, 1), np.float32)),
    "dtype": changed(w=np.zeros(3)),
    "names": changed(v=np.zeros(3, np.float32)),
    "malformed": with_arrays(w=Array("float32", (3,), "numpy.ndarray", b"nothing")),
    "malformed, short": with_arrays(w=Array("float32", (3,), "numpy.ndarray", BYTES[:-4])),
    "shape, huge": with_arrays(w=Array("float32", (3,), "numpy.ndarray", BYTES.replace(b"(3,)", b"(3000000000000,)"))),
    "malformed, two records": two_records,
    "error": failing,
    "error, unreadable": raising,
}


def started(nodes: list[object], *, rounds: int = 1, **settings: object) -> tuple[RobustStrategy, object]:
    strategy = RobustStrategy(callbacks.FedAvg(), **{"min_available_nodes": len(nodes), **settings})
    arrays = ArrayRecord({name: Array(value) for name, value in WEIGHTS.items()})
    return strategy, strategy.start(LocalGrid(nodes), arrays, num_rounds=rounds)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_replies_cost_nobody_else_the_round(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("flwr").addHandler(caplog.handler)
    strategy, result = started([honest, HOSTILE[kind], honest], rounds=2)
    logging.getLogger("flwr").removeHandler(caplog.handler)
    assert result.arrays["w"].numpy().tolist() == [2.0, 3.0, 4.0]
    assert int(result.arrays["steps"].numpy()) == 4  # which is the server's
    assert strategy.dropped == {kind.split(",")[0]: 2}
    assert "node 102 was dropped" in caplog.text
    assert result.train_metrics_clientapp[2]["num-dropped"] == 1
    assert result.train_metrics_clientapp[2]["weights"] == [0.5, 0.5]


def test_second_strange_and_missing_replies() -> None:
    strategy = RobustStrategy(callbacks.FedAvg(), min_available_nodes=3)
    grid = LocalGrid([honest, honest, honest, honest])
    grid.gone.add(104)
    sent = list(strategy.configure_train(1, ArrayRecord({"w": Array(WEIGHTS["w"])}), ConfigRecord(), grid))
    replies = [reply_to(message, {"w": WEIGHTS["w"] + value}) for message, value in zip(sent, (1, 2, 3), strict=True)]
    for reply, node in zip(replies, (101, 101, 104), strict=True):
        reply.metadata.__dict__["_src_node_id"] = node
    arrays, metrics = strategy.aggregate_train(1, [*replies, None])
    assert arrays["w"].numpy().tolist() == [2.0, 3.0, 4.0]
    assert strategy.dropped == {"twice": 1, "not-asked": 2, "no-answer": 2}
    assert metrics["clients"] == [0]


def test_a_round_of_nobody_leaves_the_model_as_it_is() -> None:
    _, result = started([failing, failing])
    assert not result.arrays
    assert result.train_metrics_clientapp[1]["num-clients"] == 0


@pytest.mark.parametrize(("sizes", "expected"), [(None, 3.0), (1, 3.0), ({0: 2, 1: 6}, 4.0)])
def test_sizes_are_believed_once(sizes: object, expected: float) -> None:
    """One node says 1, then 1000, the other always 1: FedAvg weighs both the same, unless the server knows better."""
    rounds = iter((1, 1000))

    def growing(message: Message, context: object) -> Message:
        return reply_to(message, {"w": np.array([1.0], np.float32)}, **{"num-examples": next(rounds)})

    def steady(message: Message, context: object) -> Message:
        return reply_to(message, {"w": np.array([5.0], np.float32)}, **{"num-examples": 1})

    strategy = RobustStrategy(callbacks.FedAvg(), num_examples=sizes)
    start = ArrayRecord({"w": Array(np.zeros(1, np.float32))})
    result = strategy.start(LocalGrid([growing, steady]), start, num_rounds=2)
    assert result.arrays["w"].numpy().tolist() == [expected]


def test_places() -> None:
    members = Members(None, "num-examples", "client", 3)
    assert members.meet(7, {"client": 2, "num-examples": 1e12}, [7]) == ""
    assert "whose node 7 is connected" in members.meet(8, {"client": 2}, [7, 8])
    assert "no place among the 3" in members.meet(8, {"client": 3}, [7, 8])
    assert members.meet(9, {"client": 2, "num-examples": 50}, [8, 9]) == ""  # started anew: the place, not another size
    assert (members.places, members.size(2)) == ({9: 2}, 1)


def test_memory_grows_with_the_nodes() -> None:
    strategy, grid = RobustStrategy(callbacks.FoolsGold(), min_available_nodes=2), LocalGrid([honest] * 4)
    grid.gone |= {103, 104}
    start = ArrayRecord({name: Array(value) for name, value in WEIGHTS.items()})
    strategy.start(grid, start, num_rounds=1)
    grid.gone.clear()
    strategy.start(grid, start, num_rounds=1)
    history = strategy._hearing.memories.of(strategy.rule)["history"]
    assert (history.rows * 3**0.5).round().tolist() == [[2.0] * 3] * 2 + [[1.0] * 3] * 2  # sums of directions


def test_the_server_as_a_client_and_what_it_reports(tmp_path: Path) -> None:
    network = nn.Linear(3, 2)
    start = ArrayRecord(network.state_dict())
    features, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1] * 3)
    exact = RootTraining(nn.Linear(3, 2), features, labels, client_lr=0.5, local_steps=2)

    def function(state: dict[str, torch.Tensor], number: int) -> dict[str, torch.Tensor]:
        found = exact.update(state, number).updates[0]
        return {"weight": state["weight"] + found[:6].view(2, 3), "bias": state["bias"] + found[6:]}

    def node(message: Message, context: object) -> Message:
        state = {name: torch.tensor(array.numpy()) for name, array in message.content["arrays"].items()}
        new = function(state, 0)
        sign = -1 if context.node_id == 101 else 1
        return reply_to(
            message, {k: (state[k] + sign * (new[k] - state[k])).numpy() for k in state}, **{"train-loss": 1}
        )

    ends = []
    for number, root in enumerate((exact, function)):
        report = Report(tmp_path / "runs", every=2)
        strategy = RobustStrategy(callbacks.FLTrust(), root, min_available_nodes=3, malicious=[0], report=report)
        measured = lambda server_round, arrays: MetricRecord({"testing_error_rate": 1 / (1 + server_round)})  # noqa: E731
        result = strategy.start(LocalGrid([node] * 3), start, num_rounds=2, evaluate_fn=measured)
        ends.append(result.arrays["weight"].numpy())
        assert result.train_metrics_clientapp[1]["trust-scores"] == pytest.approx([0, 1, 1], abs=1e-4)
        table = (tmp_path / "runs" / f"version_{number}" / "metrics.csv").read_text().splitlines()
        place = table[0].split(",").index("round")
        assert [float(row.split(",")[place]) for row in table[1:]] == [0, 1, 2]
        assert {"trust_score_malicious", "testing_error_rate", "num_dropped"} <= set(table[0].split(","))
        assert (tmp_path / "runs" / f"version_{number}" / "curves.png").stat().st_size > 1000
    assert np.allclose(*ends, atol=1e-6)


@pytest.mark.parametrize(("count", "nodes", "expected"), [(29, 100, 29), (57, 100, 57), (29, 48, 13)])
def test_a_count_as_a_fraction_is_that_count(count: int, nodes: int, expected: int) -> None:
    assert RobustStrategy._sample_size(nodes, count / 100, 1) == expected


def test_memory_is_taken_again_once_nobody_holds_it() -> None:
    space = Space()
    first = torch.from_numpy(space.rows(3, 4))
    second = space.rows(2, 4)
    assert not np.shares_memory(second, first.numpy())
    kept = second.ctypes.data
    del second
    assert space.rows(2, 4).ctypes.data == kept


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RobustStrategy(callbacks.FLTrust()), "needs the server's root dataset: pass root="),
        (lambda: RobustStrategy(callbacks.FedGreed(), lambda state, number: state), "pass the root of a configuration"),
        (lambda: RobustStrategy(callbacks.Krum(3)), "does not fit Krum"),
        (lambda: RobustStrategy("Krum"), "is no aggregation rule"),
        (lambda: RobustStrategy(callbacks.Median(), server_lr=0), "server_lr=0"),
        (lambda: RobustStrategy(callbacks.Median(), num_examples=-1), "num_examples=-1"),
        (lambda: RobustStrategy(callbacks.Median(), replies="all"), "replies='all'"),
        (lambda: RobustStrategy(callbacks.Median(), fixed=["v"]).start(LocalGrid([]), ArrayRecord()), r"fixed=\['v'\]"),
        (lambda: RobustStrategy(callbacks.Median()).start(LocalGrid([]), ArrayRecord()), "nothing to train"),
        (lambda: RobustStrategy(callbacks.Median()).aggregate_train(1, []), "before configure_train"),
    ],
)
def test_mistakes(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
