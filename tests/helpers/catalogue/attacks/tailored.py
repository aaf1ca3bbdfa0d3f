"""Attacks that ask the rule."""

from collections.abc import Callable
from typing import Any

import numpy as np
import reference
import reference.tailored_attacks as tailored
from torch import Tensor

import callbacks
from catalogue.row import Attack, Sent
from flt import functional as F
from flt.federation import Attack as Plugin
from flt.functional import LineSearch

BENIGN = [[1.0, 2.0, 0.0], [3.0, 0.0, 1.0], [2.0, 4.0, -1.0], [2.0, 2.0, 4.0]]
HONEST, MALICIOUS = [*BENIGN, *[[9.0, -9.0, 9.0]] * 3], [False] * 4 + [True] * 3


def _golden(crafted: list[float], **settings: Any) -> Sent:
    """What three malicious clients beside the benign ones above send, each the same."""
    return Sent(HONEST, MALICIOUS, [*BENIGN, *[crafted] * 3], settings)


def _searching(function: Callable[..., Tensor], u: Tensor, m: Tensor, rule: Any, **settings: Any) -> Tensor:
    """A function whose line search is one argument, with the class's settings of it."""
    names = {"search": "kind", "evaluations": "evaluations", "delta": "delta", "ratio": "ratio", "cap": "cap"}
    search = {name: settings.pop(setting) for setting, name in names.items() if setting in settings}
    return function(u, m, rule, search=LineSearch(**search), **settings)


def _row(make: Callable[..., Plugin], function: Callable[..., Tensor], expected: Callable[..., np.ndarray], **row: Any):
    return Attack(
        make.__name__,
        make,
        lambda u, m, root, g, rule=F.median, **s: _searching(function, u, m, rule, generator=g, **s),
        lambda u, m, root, draws, **s: expected(u, m, reference.median, **s),
        rule=F.median,
        needs_benign=True,
        **row,
    )


def _krum(u: Tensor) -> Tensor:
    """Krum with two neighbours, and the first of fewer updates than three."""
    return F.krum(u, num_byzantine=0, num_neighbours=2) if len(u) > 2 else u[0].clone()


def _krum_reference(u: np.ndarray) -> np.ndarray:
    return reference.krum(u, 0, 2) if len(u) > 2 else u[0]


def _tailored(name: str, rule: Callable[..., Tensor], expected: Callable[..., np.ndarray], **row: Any) -> Attack:
    return Attack(
        name,
        callbacks.TailoredAttack,
        lambda u, m, root, g, rule=rule, **s: F.tailored_attack(u, m, rule, generator=g, **s),
        lambda u, m, root, draws, **s: tailored.tailored_attack(u, m, expected, **s),
        rule=rule,
        needs_benign=True,
        **row,
    )


def _cosine(u: Tensor, m: Tensor, root: Tensor, g: Any, rule: Any = F.median, **settings: Any) -> Tensor:
    return F.cosine_attack(u, m, root, rule, generator=g, **settings)


BYZFL, FEW = {"search": "byzfl"}, {"evaluations": 5, "delta": 0.3, "ratio": 0.5, "cap": 0.8}

ATTACKS = [
    _row(
        callbacks.OptimizedALIE,
        F.optimized_alie,
        tailored.optimized_alie,
        settings=[{"knowledge": "partial"}, BYZFL, {**FEW, "sign": "plus", "ddof": 1}],
        golden=[
            _golden([-6.164966, -14.329932, -20.602469], sign="minus", ddof=1, **BYZFL),
            _golden([2 - 3 * 0.816497, 2 - 3 * 1.632993, 1 - 3 * 2.160247], sign="minus", ddof=1),
        ],
    ),
    _row(
        callbacks.OptimizedIPM,
        F.optimized_ipm,
        tailored.optimized_ipm,
        settings=[{"knowledge": "partial"}, BYZFL, FEW],
        golden=[_golden([-20.0, -20.0, -10.0], **BYZFL), _golden([-2.0, -2.0, -1.0])],
    ),
    _tailored(
        "TailoredAttack",
        F.median,
        reference.median,
        settings=[
            {"knowledge": "partial"},
            {"perturbation": "sign", "gamma_init": 0.1},
            {"perturbation": "unit", "evaluations": 4, "objective": "deviation"},
        ],
    ),
    _tailored(
        "TailoredAttack-Krum",
        _krum,
        _krum_reference,
        settings=[
            {"knowledge": "partial"},
            {"perturbation": "sign", "evaluations": 8},
            {"perturbation": "unit", "gamma_init": 0.3},
            {"objective": "deviation"},
        ],
        golden=[
            Sent(HONEST[:5], MALICIOUS[:5], [*BENIGN, [0.754322, 0.754322, 0.377161]], {"perturbation": "unit"}),
            _golden([-11.333321, -11.333321, -5.666660], perturbation="unit", gamma_init=10.0),  # gamma is 19.99998
        ],
    ),
    Attack(
        "CosineAttack",
        callbacks.CosineAttack,
        _cosine,
        lambda u, m, root, draws, **s: tailored.cosine_attack(u, m, root, reference.median, **s),
        settings=[{"knowledge": "partial"}, {"perturbation": "std"}, {"cosines": (0.7,)}],
        golden=[
            Sent(
                HONEST,
                MALICIOUS,
                [*BENIGN, *[[1.612372, 1.612372, -1.949490]] * 3],
                {"cosines": (0.5,)},
                root=[2.0, 2.0, 1.0],
            )
        ],
        rule=F.median,
        needs_benign=True,
    ),
]
