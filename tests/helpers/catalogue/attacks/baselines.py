"""The attacks."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import reference
import reference.adaptive_attack as adaptive

import callbacks
from catalogue.row import Attack, Draws, Sent
from flt import functional as F


def _krum(knowledge: str, **row: Any) -> Attack:
    def expected(u: np.ndarray, m: np.ndarray, root: Any, draws: Draws, **settings: Any) -> np.ndarray:
        others = int(m.sum()) - 1
        directions, radii = draws.normal(others, u.shape[1]), draws.uniform(others, 1)
        return reference.krum_attack(u, m, directions, radii, **{"knowledge": knowledge} | settings)

    return Attack(
        make=partial(callbacks.KrumAttack, knowledge=knowledge),
        function=lambda u, m, root, g, **s: F.krum_attack(u, m, generator=g, **{"knowledge": knowledge} | s),
        reference=expected,
        stream="krum attack",
        settings=[{"epsilon": 0.5}],
        **row,
    )


def _trim(knowledge: str, settings: Sequence[dict[str, Any]] = (), **row: Any) -> Attack:
    def expected(u: np.ndarray, m: np.ndarray, root: Any, draws: Draws, **settings: Any) -> np.ndarray:
        return reference.trim_attack(
            u, m, draws.uniform(int(m.sum()), u.shape[1]), **{"knowledge": knowledge} | settings
        )

    return Attack(
        make=partial(callbacks.TrimAttack, knowledge=knowledge),
        function=lambda u, m, root, g, **s: F.trim_attack(u, m, generator=g, **{"knowledge": knowledge} | s),
        reference=expected,
        stream="trim attack",
        settings=settings,
        **row,
    )


FEW_STEPS = {"sweeps": 2, "steps": 3}


def _zeroth_order(
    u: np.ndarray,
    m: np.ndarray,
    root: np.ndarray,
    draws: Draws,
    *,
    sweeps: int = 2,
    steps: int = 3,
    noise_variance: float = 0.5,
    **settings: Any,
) -> np.ndarray:
    """The solver as printed, on noise vectors that have the coordinates drawn; then its ends are turned."""
    if not m.any() or not root.any():
        return u.copy()
    num_malicious, num_params = int(m.sum()), u.shape[1]
    starts = reference.trim_attack(u, m, draws.uniform(num_malicious, num_params))[m]
    coordinates, deviation = draws.coordinates(sweeps, num_malicious, steps, 4), noise_variance**0.5
    known = np.array([np.linalg.matrix_rank([root, np.sign(reference.fltrust(u, root)), start]) for start in starts])
    freedom = np.broadcast_to(np.maximum(num_params - known - 1.0, 0)[:, None], coordinates.shape[:3])
    game = (u, m, root)
    noise = adaptive.CoordinateNoise(game, starts, deviation * coordinates, deviation * draws.chi(freedom))
    ends = adaptive.zeroth_order(game, starts, noise, sweeps=sweeps, steps=steps, **settings)
    if (np.abs(ends - noise.turned(ends, 0 * ends)) > 1e-9).any():
        ends = noise.turned(ends, draws.normal(num_malicious, num_params))
    return reference.replace_rows(u, m, np.linalg.norm(root) * ends)


ATTACKS = [
    Attack("NoAttack", callbacks.NoAttack, blind=True),
    Attack("LabelFlipping", callbacks.LabelFlipping, labels=([0, 3, 7, 9], [9, 6, 2, 0]), blind=True),
    _krum("full", name="Krum", needs_benign=True),
    _krum("partial", name="Krum-partial", blind=True),
    _trim("full", [{"stretch": 5.0}], name="Trim", needs_benign=True),
    _trim("partial", name="Trim-partial", blind=True),
    Attack(
        "Scaling",
        callbacks.ScalingAttack,
        reference=lambda u, m, root, draws, scale=None: np.where(m[:, None], (scale or len(u)) * u, u),
        settings=[{"scale": 2.5}, {"scale": 0.5}],
        golden=[Sent([[0.1, -0.2, 0.3]], [True], [[1 / 3, -2 / 3, 1.0]], {"scale": 10 / 3})],
        blind=True,
        finite=False,
    ),
    Attack(
        "Adaptive",
        partial(callbacks.AdaptiveAttack, **FEW_STEPS),
        lambda u, m, root, g, **s: F.adaptive_attack(u, m, root, generator=g, **FEW_STEPS | s),
        _zeroth_order,
        "adaptive attack",
        [
            {"sweeps": 1, "steps": 2, "noise_variance": 0.1, "probe": 0.02, "step_size": 0.3},
            {"scores": "signed", "step_size": 0.1},
        ],
    ),
    Attack(
        "Adaptive-exact",
        partial(callbacks.AdaptiveAttack, solver="exact"),
        lambda u, m, root, g, **s: F.adaptive_attack(u, m, root, solver="exact", generator=g, **s),
        stream="adaptive attack",
    ),
    Attack(
        "Adaptive-rule",
        partial(callbacks.AdaptiveAttack, solver="exact", against="rule"),
        lambda u, m, root, g, rule=F.median, **s: F.searched_attack(u, m, root, rule, generator=g, **s),
        stream="adaptive attack",
        settings=[
            {"objective": "displacement", "longest": 3.0},
            {"objective": "progress", "evaluations": 40},
            {"objective": "descent"},
        ],
        rule=F.median,
    ),
]
