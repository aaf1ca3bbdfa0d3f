"""Attacks by local data and local training: what becomes of what malicious clients have trained."""

from functools import partial
from typing import Any

import numpy as np
import reference.backdoor_attacks as backdoors

import callbacks
from catalogue.row import Attack, Sent
from flt import functional as F

ONE = [[0.1, -0.2, 0.3]]
THREE, FOUND = [[0.0, 1.0], [3.0, 4.0], [2.0, 1.0]], [3.535534, 3.535534]


def _replacement(u: np.ndarray, m: np.ndarray, root: Any, draws: Any, **settings: Any) -> np.ndarray:
    return backdoors.model_replacement(u, m, **settings)


def _boosted(name: str, attack: Any, setting: str) -> Attack:
    """A row of an attack that multiplies what it has trained by 3."""
    return Attack(
        name,
        partial(attack, **{setting: 3.0}),
        lambda u, m, root, g: F.model_replacement(u, m, scale=3.0),
        lambda u, m, root, draws: np.where(m[:, None], 3.0 * u, u),
        blind=True,
    )


ATTACKS = [
    Attack("CriticalLayers", callbacks.CriticalLayers, blind=True),
    Attack("A3FL", partial(callbacks.A3FL, iterations=3, renew_every=2, adversary_epochs=1), blind=True),
    Attack(
        "ModelReplacement",
        callbacks.ModelReplacement,
        lambda u, m, root, g, **settings: F.model_replacement(u, m, **settings),
        _replacement,
        settings=[{"scale": 2.5}, {"max_norm": 3.0}],
        golden=[
            Sent(ONE, [True], [[1 / 3, -2 / 3, 1.0]], {"scale": 10 / 3}),
            Sent(ONE, [True], [[0.534522, -1.069045, 1.603567]], {"max_norm": 2.0}),
        ],
        blind=True,
    ),
    Attack(
        "DBA",
        partial(callbacks.DBA, num_parts=1),  # of more parts it says that some are never trained
        lambda u, m, root, g, **settings: F.model_replacement(u, m, **settings),
        _replacement,
        settings=[{"scale": 2.5}],
        golden=[Sent(ONE, [True], [[1 / 3, -2 / 3, 1.0]], {"scale": 10 / 3})],
        blind=True,
    ),
    Attack("EdgeCase", partial(callbacks.EdgeCase, tail=0.5), labels=([0, 3, 7, 9], [1, 3, 7, 9]), blind=True),
    Attack("ProjectedBackdoor", callbacks.ProjectedBackdoor, blind=True),
    _boosted("ProjectedBackdoor-boosted", callbacks.ProjectedBackdoor, "boost"),
    Attack("Neurotoxin", callbacks.Neurotoxin, blind=True),
    _boosted("Neurotoxin-gradient", partial(callbacks.Neurotoxin, mask_from="own_gradient"), "scale"),
    Attack(
        "PGA",
        callbacks.PGA,
        lambda u, m, root, g, **settings: F.gradient_ascent(u, m, **settings),
        lambda u, m, root, draws, **settings: backdoors.gradient_ascent(u, m, **settings),
        settings=[{"shared": False}, {"norm": 0.5}],
        golden=[Sent(THREE, [True, False, True], [FOUND, [3.0, 4.0], FOUND])],
        needs_benign=True,
    ),
    Attack("Chameleon", partial(callbacks.Chameleon, encoder_epochs=2, head_epochs=1), blind=True),
]
