"""Who attacks when."""

import itertools

import pytest
import torch
from tiny import Recorder, TinyData

from callbacks import ClientErrors, FedAvg, FLTrust, MetricsLogger, TrimAttack
from callbacks.reporting.client_errors import errors_by_client
from callbacks.reporting.distributions import ClientMeans
from callbacks.reporting.wandb_report import clients_table
from flt.display.overview import overview_of
from flt.display.overview_table import describe
from flt.federation.schedule import Schedule, deal_out

NEVER, SOME, ALL = 0, 3, 6


@pytest.mark.parametrize("num_malicious", [0, 1, 6, 30])
def test_malicious_clients_of_a_run(num_malicious):
    masks = [deal_out([num_malicious], [Schedule()], 30, seed=seed)[0].attackers(5) for seed in range(20)]
    assert all(mask.dtype == torch.bool and mask.shape == (30,) for mask in masks)
    assert [int(mask.sum()) for mask in masks] == [num_malicious] * 20
    assert torch.equal(deal_out([num_malicious], [Schedule()], 30, seed=7)[0].attackers(0), masks[7])
    if 0 < num_malicious < 30:
        assert len({tuple(mask.tolist()) for mask in masks}) > 5


@pytest.mark.parametrize(
    ("schedule", "counts"),
    [
        ({}, [6, 6, 6, 6, 6, 6, 6, 6]),
        ({"start_round": 3}, [0, 0, 0, 6, 6, 6, 6, 6]),
        ({"end_round": 2}, [6, 6, 0, 0, 0, 0, 0, 0]),
        ({"every": 3}, [6, 0, 0, 6, 0, 0, 6, 0]),
        ({"ramp": 1}, [6, 6, 6, 6, 6, 6, 6, 6]),
        ({"ramp": 4}, [2, 3, 5, 6, 6, 6, 6, 6]),
        ({"start_round": 1, "end_round": 7, "every": 2, "ramp": 5}, [0, 2, 0, 4, 0, 6, 0, 0]),
        ({"ramp": 100}, [1, 1, 1, 1, 1, 1, 1, 1]),
    ],
    ids=str,
)
@pytest.mark.parametrize("redraw", [False, True])
def test_how_many_attack_in_each_round(schedule, counts, redraw):
    """Those of a round with fewer are among those of a round with more, unless they are drawn anew."""
    (group,) = deal_out([6], [Schedule(**schedule, redraw=redraw)], 20, seed=1)
    masks = [group.attackers(number) for number in range(8)]
    assert [int(mask.sum()) for mask in masks] == counts
    assert not any((mask & ~group.candidates).any() for mask in masks)
    assert int(group.candidates.sum()) == (20 if redraw else 6)
    if redraw:
        attacked = [mask for mask in masks if mask.any()]
        assert len({tuple(mask.tolist()) for mask in attacked}) == len(attacked)
    else:
        by_count = sorted(masks, key=lambda mask: int(mask.sum()))
        assert not any((fewer & ~more).any() for fewer, more in itertools.pairwise(by_count))


def test_malicious_clients_drawn_anew_are_equally_likely():
    (group,) = deal_out([3], [Schedule(redraw=True)], 10, seed=0)
    counts = sum(group.attackers(number).long() for number in range(2000))
    assert (counts - 600).abs().max() < 5 * (2000 * 0.3 * 0.7) ** 0.5


def test_no_client_is_in_two_groups_at_a_time():
    schedules = [Schedule(redraw=True), Schedule(), Schedule(redraw=True, ramp=3), Schedule(every=2)]
    groups = deal_out([2, 3, 4, 1], schedules, 11, seed=2)
    for number in range(6):
        together = torch.stack([group.attackers(number) for group in groups]).long()
        assert int(together.sum(dim=0).max()) <= 1
        assert together.sum(dim=1).tolist() == [2, 3, [2, 3][number > 0] + (number > 1), (number + 1) % 2]
    alone = deal_out([4], [Schedule()], 11, seed=2)[0].candidates
    assert torch.equal(groups[1].candidates | groups[3].candidates, alone)


@pytest.mark.parametrize("clients_per_round", [10, 6])
def test_those_who_do_not_attack_send_their_honest_updates(fit, clients_per_round):
    recorder, attack = Recorder(), TrimAttack(0.4, start_round=1, every=2, ramp=5, redraw=True)
    server = fit(recorder, attack, FedAvg(), rounds=6, clients_per_round=clients_per_round)
    federation = server.federation
    assert (federation.num_malicious, federation.num_byzantine, int(federation.malicious.sum())) == (4, 4, 10)
    assert not federation.malicious_throughout.any()
    for honest, received in zip(recorder.honest, recorder.received, strict=True):
        attackers = federation.attackers(honest.number)[honest.client_ids]
        assert torch.equal(honest.malicious, attackers)
        changed = (received.updates != honest.updates).any(dim=1)
        assert torch.equal(changed, attackers)
    assert [int(federation.attackers(number).sum()) for number in range(6)] == [0, 1, 0, 3, 0, 4]


def test_what_is_reported_of_a_schedule(fit):
    """Malicious clients have values in rounds that they attack; those drawn anew are nobody's mark, and count alike."""
    metrics = MetricsLogger()
    server = fit(FLTrust(), TrimAttack(0.4, every=2, redraw=True), metrics, ClientErrors(), rounds=4)
    assert ["trust_score_malicious" in row for row in metrics.rows] == [True, False, True, False]
    errors = errors_by_client(server).compute()
    assert metrics.rows[-1]["client_error_mean"] == pytest.approx(float(errors.mean()))
    _, rows = clients_table(server, ClientMeans(10))
    assert [row[-3] for row in rows] == [False] * 10
    overview = overview_of(TinyData(), TrimAttack(0.4, every=2, redraw=True))
    assert describe(overview)["attack"].endswith("4 of 10 clients malicious, in one of 2 rounds, drawn anew in each")
    assert overview.num_malicious == 0
