"""Rules that measure updates by data of the server's own."""

from functools import partial

import agreement
import numpy as np
import reference.root as reference

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

RULES: list[Rule] = [
    Rule(
        "AFLGuard",
        callbacks.AFLGuard,
        lambda u, root, sizes, f, **settings: F.aflguard(u, root, **settings),
        lambda u, root, sizes, f, **settings: reference.aflguard(u, root, **settings),
        [Golden((1.04, 1.02), {"tolerance": 1.0}), Golden((1.2, 1.216667))],
        weights=lambda u, root, sizes, f: reference.accepted(u, root),
    ),
    Rule(
        "FLOD",
        partial(callbacks.FLOD, step=0.1),
        lambda u, root, sizes, f, step=0.1, **settings: F.flod(u, root, step=step, **settings),
        lambda u, root, sizes, f, step=0.1, **settings: reference.flod(u, root, step, **settings),
        [Golden((1.0, 1.0), {"step": 1.0}), Golden((0.1, 11 / 130), {"tolerance": 1.0})],
        compare=partial(agreement.entries, longest=0.1),
        weights=lambda u, root, sizes, f: reference.flod_weights(u, root),
        unanimous=False,
        scales=False,
        follows=False,
    ),
    Rule(
        "FLTG",
        callbacks.FLTG,
        lambda u, root, sizes, f: F.fltg(u, root),
        lambda u, root, sizes, f: reference.fltg([(u, root)])[0],
        [],
        compare=agreement.as_root,
        weights=lambda u, root, sizes, f: reference.fltg_weights(u, root, np.zeros(len(root))),
        rounds=lambda given, f: reference.fltg([(u, root) for u, root, *_ in given]),
        anonymous=False,
        bounded=False,
        follows=False,
    ),
]
