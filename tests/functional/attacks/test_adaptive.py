import math

import numpy as np
import pytest
import reference
import reference.adaptive_attack as adaptive
import torch

from flt import functional as F


def sample(num_clients, num_malicious, num_params, seed, dtype=torch.float64, root_norm=None):
    updates, root_update = reference.sample_updates(num_clients, num_params, seed)
    if root_norm is not None:
        root_update *= root_norm / np.linalg.norm(root_update)
    malicious = torch.zeros(num_clients, dtype=torch.bool)
    malicious[torch.randperm(num_clients, generator=torch.Generator().manual_seed(seed))[:num_malicious]] = True
    return torch.tensor(updates, dtype=dtype), malicious, torch.tensor(root_update, dtype=dtype)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def objective(sent, updates, malicious, root_update):
    """The reference's h for the directions of what was sent."""
    directions = [reference.unit(row) for row in sent[malicious].numpy()]
    arrays = updates.numpy(), malicious.numpy(), root_update.numpy()
    return adaptive.objective(np.array(directions), *arrays)


def arrays_of(updates, malicious, root_update):
    return updates.double().numpy(), malicious.numpy(), root_update.double().numpy()


def test_objective_by_hand():
    """Both clients at 45 degrees: s = (1, 1), the update before is sqrt(2) along s, trust scores are 1/sqrt(2)."""
    updates, root_update = torch.tensor([[1.0, 1.0], [3.0, 3.0]]), torch.tensor([2.0, 0.0])
    malicious = torch.tensor([True, False])
    trust, before = 1 / math.sqrt(2), math.sqrt(2)
    cases = {
        (1.0, 0.0): 2 * (before - (1 * 1 + trust * before) / (1 + trust)),
        (0.6, -0.8): 2 * (before - (0.6 * -0.2 + trust * before) / (0.6 + trust)),
        (0.0, -1.0): 0.0,  # at a right angle it has no weight
        (-1.0, 0.0): 0.0,
    }
    for direction, expected in cases.items():
        actual = F.adaptive_objective(torch.tensor([direction]), updates, malicious, root_update)
        assert float(actual) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 1, 1), (5, 2, 3), (8, 6, 20), (4, 4, 5)], ids=str)
def test_objective_agrees_with_reference(shape):
    for seed in range(5):
        inputs = sample(*shape, seed)
        directions = torch.randn(shape[1], shape[2], generator=seeded(seed), dtype=torch.float64)
        for vectors in (directions / directions.norm(dim=1, keepdim=True), directions):  # a probe is not normalised
            expected = adaptive.objective(vectors.numpy(), *arrays_of(*inputs))
            assert float(F.adaptive_objective(vectors, *inputs)) == pytest.approx(expected, rel=1e-9, abs=1e-11)


def test_zeroth_order_stays_where_no_probe_reaches_positive_trust():
    """An attacker far beyond 90 degrees has no weight in h, so every difference quotient is zero."""
    root_update, malicious = torch.ones(6, dtype=torch.float64), torch.arange(6) < 2
    updates = root_update * torch.tensor([[1.0], [1.0], [-1.0], [2.0], [3.0], [4.0]])
    start = F.adaptive_attack(updates, malicious, root_update, sweeps=0, generator=seeded())
    assert (F.cosine_similarity(start[:2], root_update) < -0.5).all()
    end = F.adaptive_attack(updates, malicious, root_update, generator=seeded())
    torch.testing.assert_close(end, start)


@pytest.mark.parametrize("shape", [(5, 1, 2), (10, 5, 30), (20, 19, 6)], ids=str)
def test_exact_solver_finds_the_best_angle_of_a_dense_grid(shape):
    for seed in range(3):
        inputs = sample(*shape, seed)
        best = adaptive.grid_optimum(*arrays_of(*inputs))
        found = objective(F.adaptive_attack(*inputs, solver="exact"), *inputs)
        assert found >= best - 1e-6 * abs(best)
        assert found > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exact_solver_keeps_its_weight_where_no_benign_client_is_trusted(dtype):
    """h then rises all the way to 90 degrees, but at 90 degrees the attackers lose their weight; 89 is good enough."""
    updates, _, root_update = inputs = sample(6, 6, 8, seed=3, dtype=dtype)
    before = F.fltrust(updates, root_update)
    root_direction, sign = reference.unit(root_update.double().numpy()), before.sign().numpy()
    orthogonal = reference.unit(sign - sign @ root_direction * root_direction)
    direction = math.cos(math.radians(89)) * root_direction - math.sin(math.radians(89)) * orthogonal
    good_enough = adaptive.objective(np.array([direction] * 6), *arrays_of(*inputs))
    sent = F.adaptive_attack(*inputs, solver="exact")
    assert float((before - F.fltrust(sent, root_update)) @ before.sign()) >= good_enough - 1e-4


def test_exact_solver_by_hand_where_the_sign_lies_along_the_root_update():
    """With w = <e', e_0>, h = sqrt(2) * (sqrt(2) - sqrt(2) (w^2 + 1) / (w + 1)), best at w = sqrt(2) - 1.

    Any vector orthogonal to e_0 takes up the rest of the length.
    """
    updates, malicious = torch.ones(2, 2, dtype=torch.float64), torch.tensor([True, False])
    sent = F.adaptive_attack(updates, malicious, updates[0], solver="exact")
    assert float(F.trust_scores(sent[:1], updates[0])) == pytest.approx(math.sqrt(2) - 1, abs=1e-3)
    assert objective(sent, updates, malicious, updates[0]) == pytest.approx(2 * (3 - 2 * math.sqrt(2)), rel=1e-5)


@pytest.mark.parametrize("solver", ["zeroth_order", "exact"])
def test_zero_root_update_changes_nothing(solver):
    updates, malicious, root_update = sample(8, 3, 5, seed=0)
    sent = F.adaptive_attack(updates, malicious, torch.zeros_like(root_update), solver=solver, generator=seeded())
    torch.testing.assert_close(sent, updates, rtol=0, atol=0)


@pytest.mark.parametrize("solver", ["zeroth_order", "exact"])
@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_sign_along_the_root_update_or_zero(solver, factor):
    """With s along e_0, or s = 0 because nobody is trusted, the plane of the exact solver is a line."""
    root_update = torch.ones(4, dtype=torch.float64)
    updates, malicious = factor * torch.ones(6, 4, dtype=torch.float64), torch.arange(6) < 2
    sent = F.adaptive_attack(updates, malicious, root_update, solver=solver, sweeps=2, generator=seeded())
    torch.testing.assert_close(sent[:2].norm(dim=1), torch.full((2,), 2.0).double())


def test_unknown_solver_is_refused():
    with pytest.raises(ValueError, match=r"solver.*gradient"):
        F.adaptive_attack(*sample(8, 3, 5, seed=0), solver="gradient")


@pytest.mark.parametrize("solver", ["zeroth_order", "exact"])
@pytest.mark.parametrize("size", [1e-30, 3e38])
def test_only_the_directions_of_benign_updates_matter(solver, size):
    """Neither their squares nor their sums need fit into float32."""
    source = torch.Generator().manual_seed(0)
    updates, root_update = torch.rand(6, 9, generator=source), torch.rand(9, generator=source)
    malicious = torch.arange(6) < 2
    settings = {"solver": solver, "sweeps": 2, "steps": 3}
    expected = F.adaptive_attack(updates, malicious, root_update, **settings, generator=torch.Generator())
    sent = F.adaptive_attack(size * updates, malicious, root_update, **settings, generator=torch.Generator())
    torch.testing.assert_close(sent[malicious], expected[malicious], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", ["zeroth_order", "exact"])
@pytest.mark.parametrize("size", [1e-30, 1e37])
def test_a_root_update_of_any_length(solver, size):
    source = torch.Generator().manual_seed(0)
    updates, root_update = torch.rand(6, 9, generator=source), size * torch.rand(9, generator=source)
    malicious = torch.arange(6) < 2
    sent = F.adaptive_attack(updates, malicious, root_update, solver=solver, generator=torch.Generator())
    lengths = sent[malicious].double().norm(dim=1)
    torch.testing.assert_close(lengths, root_update.double().norm().expand(2), rtol=1e-5, atol=0)
