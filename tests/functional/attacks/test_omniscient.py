"""What is particular to single attacks that know the benign updates."""

import pytest
import reference
import torch
from torch.testing import assert_close

from flt import functional as F
from flt.functional.attacks.omniscient.spread import PRECISE
from flt.functional.attacks.omniscient.trapsetter import lowest_step
from flt.functional.layout import layout_of

BENIGN = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 1.0], [2.0, 4.0, -1.0], [2.0, 2.0, 4.0]], dtype=torch.float64)
HONEST, MALICIOUS = torch.cat([BENIGN, torch.zeros(3, 3)]), torch.arange(7) >= 4


def sample(seed, num_clients=9, num_malicious=3):
    updates, _ = reference.sample_updates(num_clients, 6, seed)
    return torch.tensor(updates), torch.arange(num_clients) < num_malicious


@pytest.mark.parametrize(
    ("num_clients", "num_malicious", "z"),
    [
        *[(50, 24, 1.426), (7, 3, 0.674), (100, 20, 0.286), (51, 12, 0.361), (50, 10, 0.253)],
        *[(10, 2, 0.0), (6, 2, 0.0), (10, 1, 0.0), (2, 1, 0.0), (3, 3, 0.0), (10, 7, 0.431)],
    ],
)
def test_shift_of_the_formula(num_clients, num_malicious, z):
    assert F.alie_shift(num_clients, num_malicious) == pytest.approx(z, abs=5e-4)


def test_the_median_of_benign_updates_and_copies_of_alie_is_alie():
    sent = F.alie(HONEST, MALICIOUS, z="formula")
    assert_close(F.median(sent), sent[-1])


def direction(updates, malicious, perturbation):
    benign = updates[~malicious]
    deviation = benign.std(dim=0, correction=0)
    return {"sign": benign.mean(dim=0).sign(), "unit": torch.ones(1)}.get(perturbation, deviation)


@pytest.mark.parametrize("perturbation", ["std", "minus_std", "sign", "unit"])
@pytest.mark.parametrize(("attack", "settings"), [(F.min_max, {}), (F.min_sum, {}), (F.min_sum, {"bound": "min"})])
def test_bisection_ends_just_below_the_closed_form_or_where_it_is_cut_off(attack, settings, perturbation):
    for seed in range(5):
        updates, malicious = sample(seed)
        mean = updates[3:].mean(dim=0)

        def gamma(sent, mean=mean):
            return float((sent[0] - mean).norm())

        exact = gamma(attack(updates, malicious, perturbation=perturbation, **settings))
        unit = float(direction(updates, malicious, perturbation).norm())
        found = attack(updates, malicious, perturbation=perturbation, search="bisection", **settings)
        assert exact - 2 * PRECISE * unit <= gamma(found) <= exact * (1 + 1e-12)
        cut = {"search": "bisection", "gamma_init": exact / unit / 8, **settings}
        short = gamma(attack(updates, malicious, perturbation=perturbation, **cut))
        assert short == pytest.approx(exact / 4, abs=2 * PRECISE * unit)


def test_min_max_is_as_far_from_a_benign_update_as_two_of_those_are():
    for seed in range(5):
        updates, malicious = sample(seed)
        sent, benign = F.min_max(updates, malicious)[0], updates[~malicious]
        assert_close((benign - sent).norm(dim=1).max(), F.pairwise_squared_distances(benign).max().sqrt())


def test_min_sum_is_as_far_from_the_benign_updates_as_the_one_that_is_furthest_from_the_others():
    for bound in ("max", "min"):
        updates, malicious = sample(1)
        sent, benign = F.min_sum(updates, malicious, bound=bound)[0], updates[~malicious]
        sums = F.pairwise_squared_distances(benign).sum(dim=1)
        assert_close((benign - sent).square().sum(), getattr(sums, bound)())


@pytest.mark.parametrize("num_malicious", [1, 2, 3, 6])
def test_byz_mean_moves_the_plain_mean_to_what_the_first_half_sends(num_malicious):
    updates, malicious = sample(0, num_malicious=num_malicious)
    benign = updates[~malicious]
    target = benign.mean(dim=0) - 0.7 * benign.std(dim=0, correction=0)
    sent = F.byz_mean(updates, malicious, z=0.7)
    assert_close(sent.mean(dim=0), target)
    assert_close(sent[: num_malicious // 2], target.expand(num_malicious // 2, -1))


@pytest.mark.parametrize("attack", [F.alie, F.min_max, F.min_sum, F.byz_mean])
def test_equal_updates_leave_nothing_to_hide_in(attack):
    updates = torch.tensor([[1.0, -2.0]]).repeat(5, 1)
    assert_close(attack(updates, torch.arange(5) < 2), updates)


def test_mimic_worked_by_hand():
    start = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    sent, learnt = F.mimic(HONEST, MALICIOUS, torch.arange(10, 17), start=start)
    assert_close(learnt.direction, torch.tensor([2.0, -2.0, 1.0], dtype=torch.float64) / 3)
    assert_close(BENIGN @ learnt.direction, torch.tensor([-2.0, 7.0, -5.0, 4.0], dtype=torch.float64) / 3)
    assert torch.equal(sent[4:], BENIGN[1].expand(3, -1))
    assert learnt.client == 11
    other, kept = F.mimic(HONEST.flip(0), MALICIOUS.flip(0), torch.arange(10, 17), learnt=learnt)  # 11 is malicious
    assert torch.equal(other[:3], BENIGN[1].expand(3, -1))
    assert kept.client == 11


def test_rop_is_at_a_right_angle_to_where_clients_go():
    last = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    reference = 0.9 * last + 0.1 * BENIGN.mean(dim=0)
    move = F.rop(HONEST, MALICIOUS, last, z=2.0)[-1] - last
    assert float(move @ reference) == pytest.approx(0.0, abs=1e-12)
    assert float(move.norm()) == pytest.approx(2.0)
    assert move.sum() > 0


def test_rop_beside_the_vector_of_ones_and_without_a_direction():
    updates = torch.ones(3, 4, dtype=torch.float64)
    malicious, zero = torch.tensor([False, False, True]), torch.zeros(4, dtype=torch.float64)
    moves = [
        F.rop(updates, malicious, zero, z=1.0, generator=torch.Generator().manual_seed(seed))[2] for seed in (0, 0, 1)
    ]
    for move in moves:
        assert float(move.sum()) == pytest.approx(0.0, abs=1e-12)
        assert float(move.norm()) == pytest.approx(1.0)
    assert torch.equal(moves[0], moves[1])
    assert not torch.equal(moves[0], moves[2])
    assert_close(F.rop(0 * updates, malicious, zero, z=1.0)[2], torch.full_like(zero, 0.5))


def test_trapsetter_moves_the_plain_mean_to_its_step():
    updates, malicious = sample(0)
    step = torch.arange(6.0).double()
    assert_close(F.trapsetter(updates, malicious, step, scale=0.5).mean(dim=0), 0.5 * step)


def test_models_among_which_trapsetter_looks_for_the_worst():
    model, directions = torch.tensor([3.0, 4.0, 0.0, -2.0]), torch.tensor([[1.0, 1.0, 5.0, 1.0], [0.0, 2.0, 1.0, 3.0]])
    layout, tried = layout_of({"weight": (2,), "bias": (1,), "scale": (1,)}), []

    def accuracy(step):
        tried.append(step)
        return 0.25 if len(tried) in (8, 20) else 0.5

    found = lowest_step(model, directions, layout, accuracy, radius=2.0)
    assert len(tried) == 25
    assert torch.equal(found, tried[7])  # the first of the two
    first, second = tried[7] - tried[2], tried[7] - tried[6]
    assert_close(tried[0], -2.5 * (first + second))
    assert_close(first, torch.tensor([2.0**0.5, 2.0**0.5, 0.0, 0.8]))  # 2 / 5 of the norms 5, 0 and 2
    assert_close(second, torch.tensor([0.0, 2.0, 0.0, 0.8]))


@pytest.mark.parametrize(
    ("attack", "setting", "value"),
    [
        (F.alie, "sign", "both"),
        (F.alie, "z", "paper"),
        (F.min_max, "perturbation", "mean"),
        (F.min_max, "search", "grid"),
        (F.min_sum, "bound", "mean"),
        (F.min_sum, "perturbation", "mean"),
        (F.min_sum, "search", "grid"),
    ],
)
def test_unknown_choices(attack, setting, value):
    with pytest.raises(ValueError, match=f"{setting}='{value}': choose one of"):
        attack(HONEST, MALICIOUS, **{setting: value})
