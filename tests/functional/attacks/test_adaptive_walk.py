"""That the solver on coordinates ends where the one as printed does, in distribution: normal vectors in full there."""

import math

import numpy as np
import pytest
import reference
import reference.adaptive_attack as adaptive
import torch
from catalogue import ATTACKS, Draws

from flt.functional.attacks.adaptive_game import game_of
from flt.functional.attacks.adaptive_walk import ZerothOrder, climb

# Steps so long that clients leave their starts, and cross 90 degrees to the root update now and then.
SETTINGS = ZerothOrder(sweeps=2, steps=2, noise_variance=0.5, probe=0.01, step_size=0.3)
CRITICAL = math.sqrt(-math.log(0.0001 / 2) / 2)  # what chance alone exceeds in one of 10,000 comparisons


def random_game(num_params):
    """Five clients, two of them malicious, who start somewhat along the root update."""
    updates, root_update = reference.sample_updates(5, num_params, seed=1)
    return (updates, np.arange(5) < 2, root_update), starts_along(root_update)


def along_the_root(num_params):
    """All signs are those of the root update, whose entries are equal: there is no p."""
    root_update, others = np.ones(num_params), 0.3 * np.random.default_rng(8).random((5, num_params))
    return (root_update + others, np.arange(5) < 2, root_update), starts_along(root_update)


def starts_along(root_update):
    directions = np.random.default_rng(7).normal(size=(2, len(root_update)))
    return directions + (1 - directions @ root_update)[:, None] * root_update


def in_the_plane(num_params):
    """One client starts along the root update, and so has no n; the other has no direction yet."""
    game, starts = random_game(num_params)
    return game, np.array([game[2], 0 * starts[1]])


CASES = {
    "all that there can be": (*random_game(9), 2000),
    "a rest in one dimension": (*random_game(5), 700),
    "w and nothing left": (*random_game(4), 700),
    "no w": (*random_game(3), 700),
    "s along e_0": (*along_the_root(6), 700),
    "starts in the plane": (*in_the_plane(6), 700),
}


@pytest.mark.parametrize("name", CASES)
def test_distribution_is_that_of_the_solver_as_printed(name):
    game, starts, runs = CASES[name]
    drawn = np.random.default_rng(5)
    expected = adaptive.zeroth_order(
        game,
        np.broadcast_to(starts, (runs, *starts.shape)),
        lambda _, direction: SETTINGS.noise_variance**0.5 * drawn.normal(size=direction.shape),
        **{key: getattr(SETTINGS, key) for key in ("sweeps", "steps", "probe", "step_size")},
    )
    made, tensor, generator = game_of(*map(torch.tensor, game)), torch.tensor(starts), torch.Generator().manual_seed(5)
    actual = np.array([climb(made, tensor, SETTINGS, generator=generator).numpy() for _ in range(runs)])
    for one, other in zip(statistics(expected, game, starts).T, statistics(actual, game, starts).T, strict=True):
        assert distance(one, other) < CRITICAL * math.sqrt(2 / runs)
    for one, other in zip(moments(expected).T, moments(actual).T, strict=True):
        assert abs(one.mean() - other.mean()) < 4.5 * math.sqrt((one.var() + other.var()) / runs) + 1e-9


def statistics(directions, game, starts):
    """The objective, the cosines with the root update, the start and each other, and all entries, [runs, numbers]."""
    cosines = [directions @ reference.unit(game[2]), np.einsum("rjp,jp->rj", directions, starts)]
    overlap = np.einsum("rp,rp->r", directions[:, 0], directions[:, 1])
    entries = directions.reshape(len(directions), -1)
    return np.column_stack([adaptive.objective(directions, *game), *cosines, overlap, entries])


def moments(directions):
    """All entries, and the products of each two of them."""
    entries = directions.reshape(len(directions), -1)
    return np.column_stack([entries, np.einsum("ri,rj->rij", entries, entries).reshape(len(entries), -1)])


def distance(one, other):
    """The Kolmogorov-Smirnov distance of two samples."""
    values = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (one, other)]
    return np.abs(shares[0] - shares[1]).max()


def test_more_parameters_than_a_block_holds():
    """In a round whose attackers walk, and in one whose attackers stay and draw no vectors."""
    row, malicious = next(row for row in ATTACKS if row.name == "Adaptive"), np.arange(4) < 2
    updates, root_update = reference.sample_updates(4, 5000, seed=3)
    start = reference.trim_attack(updates, malicious, np.full((2, 5000), 0.5))[0]
    for root, stays in ((root_update, True), (reference.unit(updates[3]) + reference.unit(start), False)):
        given, generators = (updates, malicious, root), [torch.Generator().manual_seed(3) for _ in range(2)]
        expected = row.reference(*given, Draws(generators[0], torch.float64))
        actual = row.function(*map(torch.tensor, given), generators[1])
        torch.testing.assert_close(actual, torch.tensor(expected), rtol=1e-9, atol=1e-9)
        assert torch.equal(generators[0].get_state(), generators[1].get_state())
        drawn = torch.Generator().manual_seed(3)
        start_alone = row.function(*map(torch.tensor, given), drawn, sweeps=0)
        assert torch.allclose(actual, start_alone) == stays
