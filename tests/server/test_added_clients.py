"""Malicious clients beside those among whom the data were dealt out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SIZES, Recorder, Sending, TinyData, fit
from torch import Tensor

from callbacks import IPM, AttackGroups, ClientErrors, FedAvg, LabelFlipping, Median, NoAttack, SignFlip, TrimAttack
from flt.federation import Attack

NUM_HONEST, NUM_ADDED = len(SIZES), 3


def run(folder: Path, attack: Attack | None, rule: Any = None, **settings: Any) -> Recorder:
    recorder = Recorder()
    data = TinyData(**settings.pop("data", {"num_added_clients": NUM_ADDED}))
    plugins = [rule or Median(), recorder, *([attack] if attack else [])]
    fit(folder, *plugins, data=data, **settings)
    return recorder


def means(updates: Tensor) -> Tensor:
    return updates.double().mean(dim=0)


def test_the_added_clients_are_the_malicious_ones_and_weigh_as_much_as_others(tmp_path: Path) -> None:
    round, aggregate = run(tmp_path, SignFlip(scale=4.0), FedAvg()).ended[0]
    benign = round.updates[:NUM_HONEST]
    assert round.malicious.tolist() == [False] * NUM_HONEST + [True] * NUM_ADDED
    sizes = round.num_examples.double()
    assert sizes[NUM_HONEST:].tolist() == [round_half(sizes[:NUM_HONEST])] * NUM_ADDED
    # What they turn around is the mean of the benign updates, as they have none of their own.
    torch.testing.assert_close(round.updates[NUM_HONEST:].double(), -4 * means(benign).expand(NUM_ADDED, -1))
    expected = (sizes[:, None] * round.updates.double()).sum(0) / sizes.sum()
    torch.testing.assert_close(aggregate.update.double(), expected, rtol=1e-5, atol=1e-7)


def round_half(sizes: Tensor) -> float:
    return float(sizes.mean().round())


@pytest.mark.filterwarnings("ignore:data.num_added_clients=3 has no effect")
@pytest.mark.parametrize("attack", [None, NoAttack(), SignFlip(start_round=2)])
@pytest.mark.parametrize("added_data", ["none", "copies"])
@pytest.mark.parametrize("clients_per_round", [None, 7])
def test_they_are_not_there_where_they_do_not_attack(
    tmp_path: Path, attack: Attack | None, added_data: str, clients_per_round: int | None
) -> None:
    """The run is then the one without them, bit for bit."""
    data, settings = {"num_added_clients": 3, "added_data": added_data}, {"clients_per_round": clients_per_round}
    with_them = run(tmp_path, attack, data=data, **settings)
    without = run(tmp_path, None, data={}, **settings)
    assert torch.equal(with_them.parameters[1], without.parameters[1])
    comes = isinstance(attack, SignFlip) and clients_per_round is None
    assert len(with_them.ended[2][0]) == len(without.ended[2][0]) + 3 * comes


def test_groups_share_them_out_by_their_fractions(tmp_path: Path) -> None:
    attack = AttackGroups([IPM(fraction=0.1), TrimAttack(fraction=0.2)])
    federation = run(tmp_path, attack).ended[0][0].federation
    assert [group.candidates.nonzero().flatten().tolist() for group in federation.groups] == [[10], [11, 12]]
    assert federation.num_byzantine == NUM_ADDED


def test_those_who_hold_copies_train_on_them(tmp_path: Path) -> None:
    data = {"num_added_clients": NUM_ADDED, "added_data": "copies"}
    flipped = run(tmp_path, LabelFlipping(), data=data).ended[0][0]
    assert flipped.malicious.nonzero().flatten().tolist() == [10, 11, 12]
    assert flipped.num_examples[NUM_HONEST:].tolist() == [round_half(flipped.num_examples[:NUM_HONEST].double())] * 3
    rows = flipped.updates[NUM_HONEST:]
    assert len(rows.unique(dim=0)) == NUM_ADDED
    # They climb where the others descend: on wrong labels of the same data.
    assert (torch.nn.functional.cosine_similarity(rows, means(flipped.updates[:NUM_HONEST]).float()[None]) < 0.5).all()


def test_a_client_without_finite_update_is_no_part_of_the_mean(tmp_path: Path) -> None:
    recorder = Recorder()
    data = TinyData(num_added_clients=1)
    with pytest.warns(UserWarning, match="NaN or an infinity"):
        fit(tmp_path, FedAvg(), Sending(float("nan"), (0,)), SignFlip(), recorder, data=data, rounds=1)
    (round, _) = recorder.ended[0]
    assert round.malicious.tolist() == [False] * (NUM_HONEST - 1) + [True]


@pytest.mark.parametrize(
    ("attack", "data", "message"),
    [
        (None, {}, "data.num_added_clients=3 has no effect: nobody attacks"),
        (SignFlip(fraction=0.3), {}, "attack.fraction=0.3 has no effect: with data.num_added_clients=3"),
        (None, {"num_added_clients": 0, "added_data": "copies"}, "data.added_data=copies has no effect"),
        (None, {"num_added_clients": 0, "long_tail_test": False}, "data.long_tail_test=False has no effect"),
    ],
)
def test_settings_without_effect(tmp_path: Path, attack: Attack | None, data: dict[str, Any], message: str) -> None:
    with pytest.warns(UserWarning, match=f"^{message}"):
        run(tmp_path, attack, rounds=1, data={"num_added_clients": 3} | data)


@pytest.mark.filterwarnings("ignore:data.num_added_clients=3 has no effect")
def test_errors_of_clients_leave_them_out(tmp_path: Path) -> None:
    held = ({}, {"num_added_clients": 3, "added_data": "copies"})
    servers = [fit(tmp_path, Median(), ClientErrors(), data=TinyData(**data), rounds=2) for data in held]
    rates = [server.trainer.callback_metrics for server in servers]
    assert "client_error_spread" in rates[0]
    assert rates[0] == rates[1]
