"""FLDetector over many rounds, held against NumPy."""

from itertools import combinations

import numpy as np
import pytest
import torch
from tiny import Recorder

from callbacks import FLDetector
from flt.federation import FederatedCallback
from flt.functional import curvature_times, prediction_errors
from flt.functional.aggregation.detection.gap_statistic import upper_cluster


def hessian_times(steps, changes, vector):
    s, y = np.array(steps).T, np.array(changes).T
    sigma = y[:, -1] @ s[:, -1] / (s[:, -1] @ s[:, -1])
    lower, diagonal = np.tril(s.T @ y, -1), np.diag(np.diag(s.T @ y))
    middle = np.block([[sigma * s.T @ s, lower], [lower.T, -diagonal]])
    ends = np.concatenate([sigma * s.T @ vector, y.T @ vector])
    return sigma * np.array(vector) - np.hstack([sigma * s, y]) @ np.linalg.solve(middle, ends)


def test_curvature():
    pairs = torch.tensor([[1.0, 0.0], [1.0, 2.0]]), torch.tensor([[2.0, 0.0], [2.0, 6.0]])
    found = curvature_times(*pairs, torch.tensor([3.0, 4.0]))
    torch.testing.assert_close(found, torch.tensor([5.982684, 12.008658]), rtol=1e-6, atol=0)
    expected = hessian_times(*(pair.double().numpy() for pair in pairs), [3.0, 4.0])
    torch.testing.assert_close(found.double(), torch.tensor(expected), rtol=1e-6, atol=0)
    twice = [pair[[1, 1]] for pair in pairs]  # a singular matrix
    torch.testing.assert_close(curvature_times(*twice, pairs[0][1]), pairs[1][1])
    for overflown in (float("inf"), float("nan")):
        changes = torch.full_like(pairs[1], overflown)
        assert torch.equal(curvature_times(pairs[0], changes, pairs[0][1]), torch.zeros_like(pairs[0][1]))
    last, now = torch.tensor([[3e38], [-3e38], [1.0]]), torch.tensor([[-3e38], [3e38], [2.0]])
    assert prediction_errors(now, last, torch.zeros(1)).tolist() == [0.5, 0.5, 0.0]


def dispersion(values, k):
    """The best of all ways to cut sorted numbers in k pieces."""
    ways = combinations(range(1, len(values)), k - 1)
    return max(min(sum(((p - p.mean()) ** 2).sum() for p in np.split(values, way)) for way in ways), 1e-12)


def upper(values, references):
    """The upper cluster by the gap statistic, from every cut there is."""
    scaled = np.sort((values - min(values)) / (max(values) - min(values)))
    ks = range(1, min(7, len(values)) + 1)
    own = np.log([dispersion(scaled, k) for k in ks])
    others = np.log([[dispersion(np.sort(r), k) for k in ks] for r in references])
    gaps, errors = others.mean(axis=0) - own, others.std(axis=0) * np.sqrt(1 + 1 / len(references))
    number = next((k + 1 for k in range(len(gaps) - 1) if gaps[k] >= gaps[k + 1] - errors[k + 1]), 1)
    if number == 1:
        return np.zeros(len(values), dtype=bool)
    cost = {cut: sum(((p - p.mean()) ** 2).sum() for p in np.split(scaled, [cut])) for cut in range(1, len(values))}
    return np.array(values) >= np.sort(values)[min(cost, key=cost.get)]


@pytest.mark.parametrize("gap", [0.0, 0.3, 5.0])
def test_clusters_of_numbers(gap):
    for seed in range(5):
        draw = np.random.default_rng(seed)
        values = draw.random(9) + gap * (np.arange(9) < 3)
        references = draw.random((10, 9))
        assert (upper_cluster(values, references) == upper(values, references)).all()
    if gap == 5.0:
        assert (upper_cluster(values, references) == (np.arange(9) < 3)).all()
    assert not upper_cluster(np.ones(5), references[:, :5]).any()


class Erratic(FederatedCallback):
    """Two clients send something else each round."""

    def on_client_updates(self, round):
        updates = round.updates.clone()
        rows = torch.isin(round.client_ids, torch.tensor([1, 4]))
        updates[rows] = 0.5 * torch.randn(updates[rows].shape, generator=round.generator("erratic"))
        return round.replace(updates=updates)


@pytest.mark.parametrize("clients_per_round", [None, 8])
def test_clients_that_nobody_can_predict_are_left_out(fit, clients_per_round):
    recorder = Recorder()
    fit(FLDetector(window=3, warmup_rounds=3), Erratic(), recorder, rounds=8, clients_per_round=clients_per_round)
    last, errors, steps, changes, before, num_flagged = {}, {}, [], [], None, 0
    for number, (round, aggregate) in enumerate(recorder.ended):
        updates, w = round.updates.double().numpy(), round.parameters.double().numpy()
        ids = round.client_ids.tolist()
        if number >= 3:
            correction = hessian_times(steps[-3:], changes[-3:], w - before[0])
            off = {c: np.linalg.norm(last[c] + correction - updates[ids.index(c)]) for c in ids if c in last}
            for client, error in off.items():
                errors.setdefault(client, []).append(error / sum(off.values()))
        scores = np.array([np.mean(errors[c][-3:]) if c in errors else 0.0 for c in ids])
        torch.testing.assert_close(aggregate.judgement.scores, torch.tensor(scores), rtol=1e-2, atol=1e-4)
        flagged = np.zeros(len(ids), dtype=bool)
        if number >= 5:
            source = round.generator("FLDetector")
            draws = torch.rand(10, int((scores > 0).sum()), generator=source).double().numpy()
            flagged[scores > 0] = upper(scores[scores > 0], draws)
        assert (aggregate.judgement.weights == 0).tolist() == flagged.tolist()
        num_flagged += int(flagged.sum())
        mean = updates[~flagged].mean(axis=0)
        torch.testing.assert_close(aggregate.update.double(), torch.tensor(mean), rtol=1e-4, atol=1e-6)
        if before is not None:
            steps.append(w - before[0])
            changes.append(aggregate.update.double().numpy() - before[1])
        before = w, aggregate.update.double().numpy()
        last |= dict(zip(ids, updates, strict=True))
    assert num_flagged
