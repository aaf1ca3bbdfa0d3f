"""Rules that look for attackers: clusters, histories, reputations."""

from functools import partial

import agreement
import numpy as np
import reference.detection as reference
import torch

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

SYBILS = ((1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.5))

RULES: list[Rule] = [
    Rule(
        "FLAME",
        partial(callbacks.FLAME, noise=0.0),
        lambda u, root, sizes, f: F.flame(u),
        lambda u, root, sizes, f: reference.flame(u),
        [Golden((1.398451, 0.879996))],
        fewest=lambda f: 3,
        compare=agreement.medium,
        weights=lambda u, root, sizes, f: reference.shares(reference.majority(u)),
    ),
    Rule(
        "FoolsGold",
        callbacks.FoolsGold,
        lambda u, root, sizes, f, **settings: F.foolsgold(u, **settings),
        lambda u, root, sizes, f, **settings: reference.foolsgold([(u, range(len(u)))], **settings)[0],
        [
            Golden((-1.0, 1.5), {"normalize": False}, SYBILS),
            Golden((-0.894427, 1.447214), {"normalize": False, "rescale": True}, SYBILS),
            Golden((-0.25, 0.375), {}, SYBILS),
        ],
        fewest=lambda f: 2,
        compare=agreement.shrunk,
        weights=lambda u, root, sizes, f: reference.shares(reference.foolsgold_weights(u)),
        rounds=lambda given, f: reference.foolsgold([(u, ids) for u, _, _, ids, _ in given]),
        robust=False,
        unanimous=False,
        follows=False,
        sharpness=100.0,
    ),
    Rule(
        "ClippedClustering",
        callbacks.ClippedClustering,
        lambda u, root, sizes, f: F.clipped_clustering(u),
        lambda u, root, sizes, f: reference.clipped_clustering([u])[0],
        [Golden((1.082300, 1.103331))],
        fewest=lambda f: 2,
        compare=agreement.shrunk,
        weights=lambda u, root, sizes, f: reference.shares(reference.larger_cluster(u)),
        rounds=lambda given, f: reference.clipped_clustering([each[0] for each in given]),
        follows=False,
    ),
    # With all coordinates in the block nothing is drawn; tests/callbacks/aggregation/test_detection.py has less.
    Rule(
        "SignGuard",
        partial(callbacks.SignGuard, share=1.0),
        lambda u, root, sizes, f: F.signguard(u),
        lambda u, root, sizes, f: reference.signguard([(u, slice(None))])[0],
        [Golden((1.082300, 1.103331))],
        fewest=lambda f: 3,
        compare=agreement.shrunk,
        weights=lambda u, root, sizes, f: reference.shares(reference.guarded(u, slice(None), None, "none")),
        follows=False,
    ),
    # A first round is a mean; tests/callbacks/aggregation/test_fldetector.py has more of them.
    Rule(
        "FLDetector",
        partial(callbacks.FLDetector, window=2, warmup_rounds=3),
        lambda u, root, sizes, f: F.fedavg(u, torch.ones(len(u))),
        lambda u, root, sizes, f: u.mean(axis=0),
        [Golden((2.457143, -0.385714))],
        fewest=lambda f: 3,
        weights=lambda u, root, sizes, f: np.full(len(u), 1 / len(u)),
        rounds=lambda given, f: [each[0].mean(axis=0) for each in given],
        averages=True,
        translates=True,
        robust=False,
    ),
]
