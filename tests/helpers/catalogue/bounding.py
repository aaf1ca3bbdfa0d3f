"""Rules that bound what an update can do: geometric medians, clipping, signs."""

import agreement
import numpy as np
import reference.bounding as reference

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

RFA = {"num_steps": 3, "tolerance": 1e-6}

RULES: list[Rule] = [
    Rule(
        "GeometricMedian",
        callbacks.GeometricMedian,
        lambda u, root, sizes, f, **settings: F.geometric_median(u, **settings),
        lambda u, root, sizes, f, **settings: reference.geometric_median(u, np.ones(len(u)), **settings),
        [
            Golden((1.2, 0.9)),
            Golden((1.297051, 0.942145), {"num_steps": 3}),
            Golden((1.219535, 0.910417), {"num_steps": 3, "start": "zero"}),
            Golden((1.244605, 0.923784), {"num_steps": 3, "start": "zero", "smoothing": 0.1}),
        ],
        compare=agreement.bounded,
        weights=lambda u, root, sizes, f: reference.geometric_median_weights(u, np.ones(len(u))),
        translates=True,
        scales=False,  # where the median is one of the updates, by the smoothing
    ),
    Rule(
        "RFA",
        callbacks.RFA,
        lambda u, root, sizes, f: F.geometric_median(u, sizes, **RFA),
        lambda u, root, sizes, f: reference.geometric_median(u, sizes, **RFA),
        [Golden((1.297051, 0.942145))],
        compare=agreement.entries,
        weights=lambda u, root, sizes, f: reference.geometric_median_weights(u, sizes, **RFA),
        translates=True,
        robust=False,
    ),
]
