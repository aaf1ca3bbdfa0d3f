"""Attacks that not the same clients make in every round, for the tests of whole runs."""

from functools import partial

import callbacks
from catalogue.row import Attack

SCHEDULE = {"start_round": 1, "every": 2, "ramp": 3, "redraw": True}

ATTACKS = [
    Attack("Trim-scheduled", partial(callbacks.TrimAttack, 0.4, **SCHEDULE)),
    Attack("Scaling-scheduled", partial(callbacks.ScalingAttack, 0.4, **SCHEDULE)),
    Attack(
        "Groups",
        lambda: callbacks.AttackGroups(
            [
                callbacks.ScalingAttack(0.2, redraw=True),
                callbacks.LabelFlipping(0.1, ramp=3),
                callbacks.TrimAttack(0.2, start_round=2),
            ]
        ),
    ),
]
