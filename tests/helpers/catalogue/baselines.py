"""The rules that the paper compares, FLTrust among them, and pre-aggregations of them."""

from functools import partial
from typing import Any

import agreement
import numpy as np
import reference
import torch
from torch import Tensor

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

PAIR_AND_LINE = ((10.0, 0.0), (10.0, 0.0), (12.0, 0.0), (0.0, 0.0), (-1.5, 0.0), (1.5, 0.0))


def _fltrust(
    name: str,
    golden: tuple[float, float],
    *,
    robust: bool = True,
    bounded: bool = True,
    translates: bool = False,
    **settings: Any,
) -> Rule:
    """FLTrust, or one of its variants of Table IV."""
    score, include_root = settings.get("score", "relu"), settings.get("include_root", False)
    trust = partial(reference.trust_scores, score=score, least_cosine=settings.get("least_cosine", 0.0))

    def weights(updates: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> np.ndarray:
        scores = trust(updates, root)
        total = scores.sum() + include_root
        return scores / total if total else scores

    return Rule(
        name,
        partial(callbacks.FLTrust, **settings),
        lambda u, root, sizes, f: F.fltrust(u, root, **settings),
        lambda u, root, sizes, f: reference.fltrust(u, root, **settings),
        [Golden(golden)],
        compare=partial(agreement.trust, **settings),
        weights=weights,
        trust=trust,
        keeps_root=include_root,
        robust=robust,
        bounded=bounded,
        translates=translates,
    )


def _bucket(updates: Tensor, root: Tensor, sizes: Tensor, f: int) -> Tensor:
    mixing = F.bucketing(len(updates), size=1000, order=torch.arange(len(updates))).to(updates)
    return F.fedavg(mixing / mixing.sum(dim=1, keepdim=True) @ updates, torch.ones(len(mixing)))  # from float32


RULES = [
    Rule(
        "FedAvg",
        callbacks.FedAvg,
        lambda u, root, sizes, f: F.fedavg(u, sizes),
        lambda u, root, sizes, f: reference.fedavg(u, sizes),
        [Golden((2.457143, -0.385714))],
        weights=lambda u, root, sizes, f: reference.shares(sizes),
        robust=False,
        translates=True,
        averages=True,
    ),
    Rule(
        "Krum",
        callbacks.Krum,
        lambda u, root, sizes, f, **settings: F.krum(u, num_byzantine=f, **settings),
        lambda u, root, sizes, f, num_neighbours=None, power=2: reference.krum(u, f, num_neighbours, power),
        [
            Golden((1.2, 0.9)),
            Golden((1.0, 0.1), {"num_neighbours": 1}),
            Golden((1.2, 0.9), {"num_neighbours": 5}),
            Golden((10.0, 0.0), {"num_neighbours": 2}, PAIR_AND_LINE),  # 0 + 2^2 < 2 * 1.5^2
            Golden((0.0, 0.0), {"num_neighbours": 2, "power": 4}, PAIR_AND_LINE),  # 0 + 2^4 > 2 * 1.5^4
        ],
        fewest=lambda f: f + 3,
        compare=agreement.selection,
        weights=lambda u, root, sizes, f: np.eye(len(u))[np.argmin(reference.krum_scores(u, f))],
        selects=True,
        translates=True,
    ),
    Rule(
        "TrimmedMean",
        callbacks.TrimmedMean,
        lambda u, root, sizes, f: F.trimmed_mean(u, trim=f),
        lambda u, root, sizes, f: reference.trimmed_mean(u, f),
        [Golden((1.42, 1.02))],
        fewest=lambda f: 2 * f + 1,
        compare=partial(agreement.entries, trimmed=lambda n, f: f),
        translates=True,
        averages=True,
    ),
    Rule(
        "Median",
        callbacks.Median,
        lambda u, root, sizes, f: F.median(u),
        lambda u, root, sizes, f: reference.median(u),
        [Golden((1.2, 1.0))],
        compare=partial(agreement.entries, trimmed=lambda n, f: (n - 1) // 2),
        translates=True,
    ),
    Rule(
        "NNM(Median)",
        lambda: callbacks.NNM(callbacks.Median()),
        lambda u, root, sizes, f: F.median(F.nearest_neighbor_mixing(u, num_byzantine=f) @ u),
        lambda u, root, sizes, f: reference.median(reference.nnm(u, f)),
        [Golden((1.2, 1.216667))],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        statistics=lambda u, statistics, f: reference.median(reference.nnm_mixing(u, f) @ statistics),
        translates=True,
        averages=True,
    ),
    # One bucket, whose mean does not depend on the order; tests/callbacks/test_preaggregation.py has more of them.
    Rule(
        "Bucketing(FedAvg)",
        partial(callbacks.Bucketing, size=1000),
        _bucket,
        lambda u, root, sizes, f: u.mean(axis=0),
        [Golden((2.457143, -0.385714))],
        weights=lambda u, root, sizes, f: np.full(len(u), 1 / len(u)),
        robust=False,
        translates=True,
        averages=True,
    ),
    Rule(
        "NormBoundedMean",
        partial(callbacks.NormBoundedMean, max_norm=0.5),
        lambda u, root, sizes, f, max_norm=0.5: F.norm_bounded_mean(u, sizes, max_norm=max_norm),
        lambda u, root, sizes, f, max_norm=0.5: reference.norm_bounded_mean(u, sizes, max_norm),
        [Golden((1.086866, 0.697498), {"max_norm": 2.0}), Golden((2.457143, -0.385714), {"max_norm": 15.0})],
        compare=partial(agreement.entries, longest=0.5),
        weights=lambda u, root, sizes, f: reference.shares(sizes),
        scales=False,
    ),
    _fltrust("FLTrust", (0.916777, 0.900505)),
    _fltrust("FLTrust-Server", (1.0, 1.0), translates=True, score="none", include_root=True),
    _fltrust("FLTrust-withServer", (0.929796, 0.916070), include_root=True),
    _fltrust("FLTrust-NoReLU", (0.916777, 0.900505), score="signed", robust=False, bounded=False),
    _fltrust("FLTrust, score equal, magnitude root", (0.917138, 0.623596), score="equal", robust=False),
    _fltrust("FLTrust-NoNorm", (1.251884, 1.259441), magnitude="own", robust=False),
    _fltrust("FLTrust-ParNorm", (0.854341, 0.850726), magnitude="at_most_root"),
    _fltrust("FLTrust-ParNorm, least cosine 0.1", (0.857289, 0.852568), magnitude="at_most_root", least_cosine=0.1),
]
