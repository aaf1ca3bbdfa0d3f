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


@pytest.mark.parametrize("attack", [F.alie, F.min_max, F.min_sum, F.byz_mean])
def test_equal_updates_leave_nothing_to_hide_in(attack):
    updates = torch.tensor([[1.0, -2.0]]).repeat(5, 1)
    assert_close(attack(updates, torch.arange(5) < 2), updates)


@pytest.mark.parametrize(
    ("attack", "target"),
    [
        (lambda *given, **settings: F.byz_mean(*given, ddof=1, **settings), [1.591752, 1.183503, -0.080123]),
        (lambda *given, **settings: F.trapsetter(*given, torch.ones(3), **settings), [1.0, 1.0, 1.0]),
    ],
    ids=["ByzMean", "Trapsetter"],
)
def test_the_mean_of_all_clients_is_moved_also_of_those_without_an_update(attack, target):
    """Three more clients, who are taken to send the mean of the benign updates."""
    sent = attack(HONEST, MALICIOUS, num_clients=10)
    everyone = torch.cat([sent, BENIGN.mean(dim=0).expand(3, -1)])
    assert_close(everyone.mean(dim=0), torch.tensor(target).double(), rtol=0, atol=1e-6)


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
