"""What the table cannot say of the rules that choose some of the updates."""

from itertools import combinations

import hostile
import numpy as np
import pytest
import reference
import torch
from catalogue import EXAMPLE
from reference import selection

from callbacks import GAS, DnC, Krum
from flt import functional as F
from flt.functional.aggregation.selection.dnc import dnc_scores
from flt.functional.aggregation.selection.mda import mda_select, mda_weights
from flt.functional.aggregation.selection.smea import smea_select
from flt.functional.preaggregation.foundation import distances_from_extremes
from flt.functional.rows import Rows


def updates_of(num_clients, num_params, seed=0):
    return torch.tensor(reference.sample_updates(num_clients, num_params, seed)[0])


def round_of(updates):
    """A round with one malicious client."""
    federation = hostile.federation_of(
        num_examples=torch.ones(len(updates)), malicious=torch.arange(len(updates)) == len(updates) - 1
    )
    return hostile.round_of(federation, updates, torch.ones(updates.shape[1]))


def test_scores_of_the_example():
    example = torch.tensor(EXAMPLE)
    krum = [8.16, 6.98, 6.84, 10.08, 8.37, 4.12, 775.51]
    assert F.krum_scores(example, num_byzantine=1).tolist() == pytest.approx(krum, rel=1e-6)
    (dnc,) = dnc_scores(Rows(example))
    expected = [1.639756, 1.719722, 8.410447, 5.373290, 6.878606, 3.194401, 149.328959]
    assert dnc.tolist() == pytest.approx(expected, rel=1e-6)
    for rule, scores in ((Krum(), krum), (DnC(), expected)):
        _, aggregate = hostile.receive(hostile.Case(round_of(example), clients_per_part=7), rule)
        assert aggregate.judgement.scores.tolist() == pytest.approx(scores, rel=1e-6)
    _, variance = smea_select(F.Gram.of(example), num_byzantine=1)
    assert variance == pytest.approx(0.592904, abs=1e-6)
    nearest = F.monna(example, example[0], num_byzantine=1)
    torch.testing.assert_close(nearest, torch.tensor([1.2, 1.216667]), rtol=0, atol=1e-6)


def test_coordinates_of_repetitions():
    """Of the updates that no repetition has dropped; if there are none, of those that most have kept."""
    updates = updates_of(9, 12)
    for coordinates in ([[0, 3, 5]], [[0, 1], [2, 3]], [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]):
        for f in (1, 2, 4):
            expected = selection.mean(updates.numpy(), selection.dnc(updates.numpy(), f, 1.0, coordinates))
            found = F.dnc(updates, num_byzantine=f, coordinates=torch.tensor(coordinates))
            np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_coordinates_are_drawn_anew():
    rounds = [round_of(updates_of(9, 30).float()).replace(number=number) for number in (0, 0, 1)]
    first, same, second = (DnC(num_coordinates=7, num_repetitions=3)._coordinates(round) for round in rounds)
    assert first.shape == (3, 7)
    assert all(len(set(some.tolist())) == 7 for some in first)
    assert torch.equal(first, same)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("make", [Krum, GAS], ids=["Krum", "GAS(Median)"])
def test_chunks(make):
    """Coordinates are divided among chunks evenly, otherwise in each round; a rule is asked for each chunk."""
    updates = updates_of(9, 20).float()
    rule = GAS(make(num_byzantine=1), num_chunks=3)
    rows = updates.double().numpy()

    def inner(part):
        if make is Krum:
            return reference.krum(part, 1)
        return selection.mean(part, selection.gas(part, reference.median, 1, range(part.shape[1])))

    divisions = []
    for number in (0, 1):
        round = round_of(updates).replace(number=number)
        divisions.append(rule._chunks(round).tolist())
        assert sorted(divisions[-1].count(chunk) for chunk in range(3)) == [6, 7, 7]
        shares = selection.gas(rows, inner, 1, divisions[-1])
        np.testing.assert_allclose(rule.aggregate(round).judgement.weights, shares, rtol=1e-6)
        np.testing.assert_allclose(rule.aggregate(round).update, selection.mean(rows, shares), rtol=1e-5, atol=1e-6)
    assert divisions[0] != divisions[1]


@pytest.mark.parametrize("seed", range(40))
def test_the_closest_updates(seed):
    """Small whole numbers, with many choices as good as each other: the lexicographically first one counts."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(-2, 3, size=(int(draw.integers(5, 11)), 2)).astype(float)
    for f in range((len(rows) - 1) // 2 + 1):
        distances = np.sum((rows[:, None] - rows[None]) ** 2, axis=2)
        chosen = mda_select(torch.tensor(distances), num_byzantine=f)
        assert chosen == selection.mda(rows, f).nonzero()[0].tolist()


def test_a_search_among_many_clients():
    """A hundred, of whom a third sends something else: there are more than 10^25 choices."""
    updates = updates_of(100, 50)
    updates[::3] += 30.0
    weights = mda_weights(F.Gram.of(updates), num_byzantine=34)
    assert weights.nonzero().flatten().tolist() == [client for client in range(100) if client % 3]


@pytest.mark.parametrize("num_params", [1, 2, 40])
def test_the_least_variance_along_any_direction(num_params):
    """More subsets than are looked at together."""
    updates = updates_of(16, num_params, seed=num_params)
    rows = updates.numpy()
    chosen, variance = smea_select(F.Gram.of(updates), num_byzantine=5)
    assert int(chosen.sum()) == 11
    assert variance == pytest.approx(selection.along_top_direction(rows[chosen], np.ones(11))[1], rel=1e-9)
    for left_out in combinations(range(16), 5):  # none has less, by a bound that needs no eigenvalue
        others = np.delete(rows, left_out, axis=0)
        if np.var(others, axis=0).max() < variance:
            assert selection.along_top_direction(others, np.ones(11))[1] >= variance * (1 - 1e-9)


def test_distances_from_extremes_that_float32_does_not_hold():
    updates = torch.tensor([[3e38, 0.0], [-3e38, 1.0], [2e38, 5.0], [2e38, 5.0]])
    wide = updates.double()
    farthest = torch.stack([(wide - each).norm(dim=1) for each in (wide.amax(dim=0), wide.amin(dim=0))]).amin(dim=0)
    torch.testing.assert_close(distances_from_extremes(Rows(updates)), farthest)
