"""Guarantees in the rows of a run: what they are made of, and what attains them."""

import pytest
import torch
from tiny import Recorder

import callbacks as c
from callbacks.reporting.certificates import of_kappa, of_trust
from flt import functional as F
from flt.errors import InputError
from flt.functional import BenignMean

OF_TRUST = {"guaranteed_progress", "progress_taken", "leverage", "leverage_used"}


@pytest.mark.parametrize("variant", ["FLTrust", "withServer", "ParNorm"])
@pytest.mark.parametrize(("objective", "share"), [("progress", "progress_taken"), ("displacement", "leverage_used")])
def test_the_exact_attack_takes_all_of_it(fit, variant, objective, share):
    attack, metrics = c.AdaptiveAttack(0.3, solver="exact", against="rule", objective=objective), c.MetricsLogger()
    fit(c.FLTrust(variant=variant), attack, c.Certificates(), metrics, rounds=3)
    assert [row[share] for row in metrics.rows] == [pytest.approx(1.0, abs=1e-4)] * 3
    assert all(0 < row["guaranteed_progress"] < 1 and row["leverage"] > 0 for row in metrics.rows)


def test_numbers_of_a_round_that_is_logged(fit):
    metrics, recorder, every = c.MetricsLogger(), Recorder(), {"log_every_n_steps": 2}
    plugins = c.FLTrust(), c.AdaptiveAttack(0.3, solver="exact"), recorder, c.Certificates(kappa=True), metrics
    fit(*plugins, rounds=2, trainer_settings=every)
    (row,), (round, aggregate) = metrics.rows, recorder.ended[-1]
    root, benign = round.root_update.double() / round.root_update.double().norm(), round.updates[~round.malicious]
    mean, update = BenignMean.of(benign, round.root_update), aggregate.update.double() / round.root_update.norm()
    progress, bound = F.guaranteed_progress(mean, 3), F.displacement_bound(mean, 3)
    of_parts = {
        "guaranteed_progress": progress,
        "progress_taken": max((mean.along - float(update @ root)) / (mean.along - progress), 0.0),
    }
    of_whole = {
        "leverage": bound / mean.length,
        "leverage_used": float((update - mean.vector).norm()) / bound,
        "kappa": F.realised_kappa(aggregate.update, round.updates, ~round.malicious),
    }
    assert {name: row.get(name) for name in of_parts | of_whole} == pytest.approx(of_parts | of_whole, rel=1e-4)
    assert "kappa_bound" not in row
    shape = c.FLTrust().trust_shape
    assert of_trust(round.without_updates(), aggregate, shape) == pytest.approx(of_parts, rel=1e-4)
    assert of_trust(round.replace(root_update=torch.zeros_like(root)), aggregate, shape) == {}


@pytest.mark.parametrize(
    ("rule", "bound"),
    [
        (c.Krum(), F.kappa_of_krum(10, 3)),
        (c.Krum(num_neighbours=6), F.kappa_of_krum(10, 3, 6)),
        (c.Krum(power=4), None),
        (c.TrimmedMean(trim=4), F.kappa_of_trimmed_mean(10, 4)),
        (c.TrimmedMean(trim=2), None),  # more attack than it tolerates
        (c.Median(), F.kappa_of_median(10, 3)),
        (c.GeometricMedian(), F.kappa_of_median(10, 3)),
        (c.NNM(c.Median()), F.kappa_of_mixing(F.kappa_of_median(10, 3), 10, 3)),
        (c.NNM(), None),
    ],
    ids=lambda each: getattr(each, "label", ""),
)
def test_bounds_of_rules(fit, rule, bound):
    recorder = Recorder()
    fit(rule, c.TrimAttack(0.3), recorder, rounds=1)
    values = of_kappa(*recorder.ended[0], rule)
    assert values.get("kappa_bound") == (None if bound is None else pytest.approx(bound))
    assert bound is None or 0 < values["kappa"] < bound


@pytest.mark.parametrize(
    ("rule", "attack", "trust", "names"),
    [
        (c.FLTrust(), c.TrimAttack(0.3), True, OF_TRUST),
        (c.FLTrust(), c.TrimAttack(0.3), False, set()),
        (c.FLTrust(), c.NoAttack(), True, set()),
        (c.FLTrust(variant="NoNorm"), c.TrimAttack(0.3), True, OF_TRUST - {"leverage", "leverage_used"}),  # infinite
        (c.Median(), c.TrimAttack(0.3), True, set()),
    ],
)
def test_what_says_nothing_or_is_not_wanted_is_not_logged(fit, rule, attack, trust, names):
    metrics = c.MetricsLogger()
    fit(rule, attack, c.Certificates(trust=trust), metrics, rounds=1)
    assert OF_TRUST & set(metrics.rows[0]) == names


def test_two_of_them_are_refused(fit):
    with pytest.raises(InputError, match="two Certificates would log the same metrics"):
        fit(c.FedAvg(), c.Certificates(), c.Certificates(kappa=True))
