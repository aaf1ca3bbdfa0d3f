"""Rules that look for attackers: clusters, histories, reputations."""

from functools import partial

import agreement
import reference.detection as reference

import callbacks
from catalogue.row import Golden, Rule
from flt import functional as F

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
]
