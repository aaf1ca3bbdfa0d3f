"""Attacks that know no other client's update."""

from functools import partial
from typing import Any

import numpy as np
import reference.blind_attacks as blind
import torch

import callbacks
from catalogue.row import Attack, Draws, Sent
from flt import functional as F

BENIGN = [[1.0, 2.0, 0.0], [3.0, 0.0, 1.0], [2.0, 4.0, -1.0], [2.0, 2.0, 4.0]]
"""The updates of four benign clients for which the golden vectors are known."""


def _t(*values: float) -> torch.Tensor:
    return torch.tensor(values)


def _shape(u: np.ndarray, m: np.ndarray, shared: bool) -> tuple[int, int]:
    return min(int(m.sum()), 1) if shared else int(m.sum()), u.shape[1]


def _gaussian(u: np.ndarray, m: np.ndarray, root: Any, draws: Draws, **settings: Any) -> np.ndarray:
    return blind.noise(u, m, draws.normal(*_shape(u, m, settings.get("shared", False))), **settings)


def _uniform(u: np.ndarray, m: np.ndarray, root: Any, draws: Draws, **settings: Any) -> np.ndarray:
    uniform = draws.uniform(*_shape(u, m, settings.get("shared", False)))
    return blind.noise(u, m, 2 * uniform - 1, **settings)


def _constant(value: float) -> Any:
    return lambda u, m, root, draws: blind.constant(u, m, value)


def _minus_parameters(given: Any, draws: Any) -> list[np.ndarray]:
    return [blind.constant(updates, malicious, 0.0) - np.outer(malicious, w) for updates, malicious, _, w in given]


def _mpaf_random(given: Any, draws: Any, **settings: Any) -> list[np.ndarray]:
    """Of `tiny.mlp`, whose tensors follow one another: 60 weights, 5 biases, 15 weights, 3 biases."""
    start = given[0][3]
    pieces = np.split(start, np.cumsum([5 * 12, 5, 3 * 5]))
    shuffled = [piece[draws[0].order(len(piece))] for piece in pieces]
    return blind.mpaf_rounds(given, np.concatenate(shuffled), **settings)


def _sybil(u: np.ndarray, m: np.ndarray, root: Any, draws: Draws, **settings: Any) -> np.ndarray:
    num_pairs = int(m.sum()) // 2
    return blind.sybil_noise(u, m, draws.normal(min(num_pairs, u.shape[1]), u.shape[1]), **settings)


NOISES = [
    {"placement": "add", "scale": 0.3},
    {"mean": 0.1, "scale": 0.1, "shared": True},
    {"relative": True, "mean": 0.5, "scale": 2.0},
]

ATTACKS = [
    Attack(
        "SignFlip",
        callbacks.SignFlip,
        lambda u, m, root, g, **settings: F.sign_flip(u, m, **settings),
        lambda u, m, root, draws, **settings: blind.sign_flip(u, m, **settings),
        settings=[{"scale": 3.0}],
        golden=[Sent([*BENIGN, [1.0, -1.0, 3.0]], [False] * 4 + [True], [*BENIGN, [-2.0, 2.0, -6.0]], {"scale": 2.0})],
        blind=True,
    ),
    Attack(
        "SignFlip-ascent",  # of what gradient ascent gave
        partial(callbacks.SignFlip, "ascent", scale=2.0),
        lambda u, m, root, g, scale=2.0: F.sign_flip(u, m, variant="ascent", scale=scale),
        lambda u, m, root, draws, scale=2.0: blind.sign_flip(u, m, "ascent", scale=scale),
        settings=[{"scale": 0.5}],
        blind=True,
    ),
    *(
        Attack(
            name,
            partial(callbacks.SignFlip, "mean", **settings),
            lambda u, m, root, g, settings=settings, **more: F.sign_flip(u, m, variant="mean", **settings, **more),
            lambda u, m, root, d, settings=settings, **more: blind.sign_flip(u, m, "mean", **settings, **more),
            settings=[{"scale": 0.5}],
            golden=golden,
            blind=bool(settings),
            needs_benign=not settings,
        )
        for name, settings, golden in [
            (
                "SignFlip-mean",
                {},
                [Sent([*BENIGN, [9.0, 9.0, 9.0]], [False] * 4 + [True], [*BENIGN, [-2.0, -2.0, -1.0]])],
            ),
            ("SignFlip-partial", {"knowledge": "partial"}, [Sent(BENIGN, [True] * 4, [[-2.0, -2.0, -1.0]] * 4)]),
        ]
    ),
    Attack(
        "GaussianNoise",
        callbacks.GaussianNoise,
        lambda u, m, root, g, **settings: F.gaussian_noise(u, m, generator=g, **settings),
        _gaussian,
        "GaussianNoise",
        NOISES,
        blind=True,
    ),
    Attack(
        "UniformNoise",
        callbacks.UniformNoise,
        lambda u, m, root, g, **settings: F.uniform_noise(u, m, generator=g, **settings),
        _uniform,
        "UniformNoise",
        NOISES,
        blind=True,
    ),
    Attack(
        "ZeroUpdate",
        callbacks.ZeroUpdate,
        lambda u, m, root, g: F.zero_update(u, m),
        _constant(0.0),
        golden=[Sent([[1.0, 2.0], [3.0, 4.0]], [True, False], [[0.0, 0.0], [3.0, 4.0]])],
        blind=True,
    ),
    Attack(
        "ZeroUpdate-model",
        partial(callbacks.ZeroUpdate, zero_model=True),
        rounds=_minus_parameters,
        golden=[Sent([[1.0, 2.0], [3.0, 4.0]], [True, False], [[-5.0, 6.0], [3.0, 4.0]], parameters=[5.0, -6.0])],
        blind=True,
    ),
    *(
        Attack(
            f"NonFinite-{value}",
            partial(callbacks.NonFinite, value),
            lambda u, m, root, g, value=value: F.non_finite(u, m, value=value),
            _constant(float(value)),
            golden=[Sent([[1.0], [2.0]], [True, False], [[float(value)], [2.0]])],
            blind=True,
            finite=False,
        )
        for value in ("inf", "nan")
    ),
    *(
        Attack(
            f"FreeRider-{variant}",
            partial(callbacks.FreeRider, variant),
            rounds=partial(blind.free_rider_rounds, variant=variant),
            stream="FreeRider",
            settings=settings,
            golden=golden,
            blind=True,
        )
        for variant, settings, golden in [
            ("plain", [], []),
            ("disguised", [{"sigma": 0.3, "gamma": 0.5}], []),
            ("delta", [], [Sent([[1.0, 2.0]], [True], [[2.0, -3.0]], {}, [3.0, 1.0], {"parameters": _t(1.0, 4.0)})]),
            ("advanced", [{"gamma": 0.0}], []),
            ("lazy", [], []),
        ]
    ),
    Attack(
        "MPAF",
        callbacks.MPAF,
        rounds=_mpaf_random,
        stream="MPAF",
        settings=[{"scale": 2.0}],
        golden=[
            Sent(
                [[0.0] * 3, [1.0] * 3],
                [True, False],
                [[-10.0, -10.0, -40.0], [1.0] * 3],
                {"scale": 10.0},
                [1.0, 2.0, 3.0],
                {"target": _t(0.0, 1.0, -1.0)},
            )
        ],
        blind=True,
    ),
    Attack(
        "MPAF-initial",
        partial(callbacks.MPAF, target="initial", scale=3.0),
        rounds=lambda given, draws: blind.mpaf_rounds(given, given[0][3], scale=3.0),
        blind=True,
    ),
    Attack(
        "PoisonedFL",
        partial(callbacks.PoisonedFL, scale=0.5),  # with 8 it drowns FedAvg, and what is left of the step is rounding
        rounds=lambda given, draws, scale=0.5, **s: blind.poisoned_fl_rounds(given, draws, scale, **s),
        stream="PoisonedFL",
        settings=[
            {"period": 2, "scale": 1.5, "shrink": 0.4},
            {"period": 1, "scale": 1.0, "confidence": 0.1},
            {"period": 1, "shrink": 0.9, "least_scale": 0.4, "confidence": 0.999999},
        ],
        golden=[
            Sent(
                [[0.0] * 3, [1.0] * 3],
                [True, False],
                [[13.856406, -13.856406, 13.856406], [1.0] * 3],
                parameters=[1.0, -2.0, 2.0],
                memory={
                    "signs": _t(1.0, -1.0, 1.0),
                    "parameters": torch.zeros(3),
                    "tested": torch.zeros(3),
                    "sent": _t(2.0, 0.0, 0.0),
                    "rounds": 0,
                    "scale": 8.0,
                },
            )
        ],
        blind=True,
    ),
    Attack(
        "SybilNoise",
        callbacks.SybilNoise,
        lambda u, m, root, g, **settings: F.sybil_noise(u, m, generator=g, **settings),
        _sybil,
        "SybilNoise",
        [{"scale": 0.5}],
        labels=([0, 3, 7, 9], [9, 6, 2, 0]),
        blind=True,
    ),
    Attack(
        "SybilNoise-turns",
        partial(callbacks.SybilNoise, max_cosine=0.1),
        rounds=lambda given, draws, max_cosine=0.1, **s: blind.sybil_turns_rounds(given, draws, max_cosine, **s),
        stream="SybilNoise",
        settings=[{"scale": 0.5, "max_cosine": 0.6}],
        labels=([0, 3, 7, 9], [9, 6, 2, 0]),
        blind=True,
    ),
]
