"""Rules that bound what an update can do: geometric medians, clipping, signs."""

from functools import partial

import agreement
import numpy as np
import reference
import reference.bounding as bounding

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

LAYER = ((1.0, 2.0, 3.0, 4.0), (1.1, 2.1, 2.9, 4.2), (0.9, 1.8, 3.1, 3.9), (1.0, 2.2, 3.0, 4.1), (-8.0, -8.0, 8.0, 9.0))
RFA = {"num_steps": 3, "tolerance": 1e-6}

RULES: list[Rule] = [
    Rule(
        "GeometricMedian",
        callbacks.GeometricMedian,
        lambda u, root, sizes, f, **settings: F.geometric_median(u, **settings),
        lambda u, root, sizes, f, **settings: bounding.geometric_median(u, np.ones(len(u)), **settings),
        [
            Golden((1.2, 0.9)),
            Golden((1.297051, 0.942145), {"num_steps": 3}),
            Golden((1.219535, 0.910417), {"num_steps": 3, "start": "zero"}),
            Golden((1.244605, 0.923784), {"num_steps": 3, "start": "zero", "smoothing": 0.1}),
        ],
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: bounding.geometric_median_weights(u, np.ones(len(u))),
        translates=True,
        scales=False,  # where the median is one of the updates, by the smoothing
    ),
    Rule(
        "RFA",
        callbacks.RFA,
        lambda u, root, sizes, f: F.geometric_median(u, sizes, **RFA),
        lambda u, root, sizes, f: bounding.geometric_median(u, sizes, **RFA),
        [Golden((1.297051, 0.942145))],
        compare=agreement.entries,
        weights=lambda u, root, sizes, f: bounding.geometric_median_weights(u, sizes, **RFA),
        translates=True,
        robust=False,
    ),
    Rule(
        "CenteredClipping",
        partial(callbacks.CenteredClipping, max_norm=1.0),
        lambda u, root, sizes, f, max_norm=1.0, **more: F.centered_clipping(u, max_norm=max_norm, **more),
        lambda u, root, sizes, f, **settings: bounding.centered_clipping(u, **settings),
        [
            Golden((0.648515, 0.440949)),
            Golden((1.200916, 0.911550), {"num_steps": 3}),
        ],
        compare=partial(agreement.entries, longest=1.0),
        statistics=lambda u, statistics, f: reference.median(statistics),
        scales=False,
        rounds=bounding.centered_clipping_rounds,
    ),
    Rule(
        "NormClipping",
        partial(callbacks.NormClipping, max_norm=0.5),
        lambda u, root, sizes, f, max_norm=0.5: F.norm_clipping(u, max_norm=max_norm),
        lambda u, root, sizes, f, max_norm=0.5: reference.norm_bounded_mean(u, np.ones(len(u)), max_norm),
        [Golden((1.086866, 0.697498), {"max_norm": 2.0}), Golden((2.457143, -0.385714), {"max_norm": 15.0})],
        compare=partial(agreement.entries, longest=0.5),
        weights=lambda u, root, sizes, f: np.full(len(u), 1 / len(u)),
        scales=False,
    ),
    Rule(
        "SignSGD",
        partial(callbacks.SignSGD, step=0.1),
        lambda u, root, sizes, f, step=0.1: F.sign_sgd(u, step=step),
        lambda u, root, sizes, f, step=0.1: bounding.majority(u, step),
        [Golden((1.0, 1.0), {"step": 1.0})],
        compare=partial(agreement.entries, longest=0.1),
        statistics=lambda u, statistics, f: statistics.mean(axis=0),
        unanimous=False,
        scales=False,
        follows=False,
    ),
    Rule(
        "RLR(FedAvg)",
        callbacks.RLR,
        lambda u, root, sizes, f, threshold=None: F.robust_learning_rate(
            u, F.fedavg(u, sizes), threshold=min(f + 1, len(u)) if threshold is None else threshold
        ),
        lambda u, root, sizes, f, threshold=None: bounding.turned_around(
            u, reference.fedavg(u, sizes), min(f + 1, len(u)) if threshold is None else threshold
        ),
        [Golden((2.457143, 0.385714), {"threshold": 6}), Golden((2.457143, -0.385714))],
        weights=lambda u, root, sizes, f: reference.shares(sizes),
        robust=False,
        follows=False,
    ),
    Rule(
        "Clipping(Median)",
        lambda max_norm=1.0: callbacks.Clipping(callbacks.Median(), max_norm),
        lambda u, root, sizes, f, max_norm=1.0: F.median(F.clipping(u, max_norm=max_norm) @ u),
        lambda u, root, sizes, f, max_norm=1.0: reference.median(bounding.clipped(u, max_norm)),
        [Golden((1.2, 1.0), {"max_norm": 3.0})],
        compare=partial(agreement.entries, longest=1.0),
        statistics=lambda u, statistics, f: reference.median(statistics),
        scales=False,
    ),
    Rule(
        "Rescaling(Median)",
        lambda: callbacks.Rescaling(callbacks.Median()),
        lambda u, root, sizes, f: F.median(F.rescaling(u) @ u),
        lambda u, root, sizes, f: reference.median(bounding.rescaled(u)),
        [Golden((1.523154, 1.292440))],  # the median length is 2.154066
        compare=agreement.rescaled,
        statistics=lambda u, statistics, f: reference.median(statistics),
    ),
    # A longest update that is clipped still moves the mean: robust against two only where the others are as long.
    Rule(
        "ARC(FedAvg)",
        callbacks.ARC,
        lambda u, root, sizes, f: F.fedavg(F.adaptive_robust_clipping(u, num_byzantine=f) @ u, sizes),
        lambda u, root, sizes, f: reference.fedavg(bounding.arc(u, f), sizes),
        [Golden((1.328911, 0.742517))],
        fewest=lambda f: f,
        weights=lambda u, root, sizes, f: reference.shares(sizes),
        averages=True,
    ),
    Rule(
        "CRFL(FedAvg)",
        lambda start=2.0: callbacks.CRFL(noise_std=0.0, start=start, growth=0.0),
        lambda u, root, sizes, f, start=2.0: F.crfl(F.fedavg(u, sizes), u.new_zeros(u.shape[1]), max_norm=start),
        lambda u, root, sizes, f, start=2.0, parameters=0.0: bounding.crfl(
            reference.fedavg(u, sizes), parameters, start
        ),
        [Golden((1.2, 1.6), {"start": 2.0}, updates=((2.0, 1.0), (4.0, 7.0)))],
        compare=partial(agreement.entries, longest=2.0),
        weights=lambda u, root, sizes, f: reference.shares(sizes),
        scales=False,
        sees_model=True,
    ),
    Rule(
        "AFA",
        callbacks.AFA,
        lambda u, root, sizes, f: F.afa(u, sizes),
        lambda u, root, sizes, f: bounding.afa(u, sizes),
        [Golden((2.85, -0.633333))],  # without the fifth, an honest one
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: bounding.afa_weights(u, sizes, bounding.afa_kept(u, sizes)),
        rounds=bounding.afa_rounds,
        robust=False,
    ),
    Rule(
        "LASA",
        callbacks.LASA,
        lambda u, root, sizes, f, **settings: F.lasa(u, **settings),
        lambda u, root, sizes, f, **settings: bounding.lasa(u, **settings),
        [
            Golden((0.0, 0.0, 2.999771, 4.049668), {"sparsity": 0.25}, LAYER),
            Golden((0.999913, 2.024834, 2.999771, 4.049668), {"sparsity": 0.25, "average": "dense"}, LAYER),
        ],
        compare=agreement.entries,
        statistics=lambda u, statistics, f: reference.median(statistics),
        unanimous=False,
    ),
]
