"""Attacks that know the benign updates."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import reference.omniscient_attacks as reference
import torch
from torch import Tensor

import callbacks
from catalogue.row import Attack, Sent
from flt import functional as F
from flt.federation import Attack as Plugin
from flt.federation import LocalWork, Round

BENIGN = [[1.0, 2.0, 0.0], [3.0, 0.0, 1.0], [2.0, 4.0, -1.0], [2.0, 2.0, 4.0]]
HONEST, MALICIOUS = [*BENIGN, *[[9.0, -9.0, 9.0]] * 3], [False] * 4 + [True] * 3


def golden(*crafted: list[float], **settings: Any) -> Sent:
    """What three malicious clients beside the benign ones above send: one vector for all of them, or one each."""
    return Sent(HONEST, MALICIOUS, [*BENIGN, *(crafted if len(crafted) > 1 else crafted * 3)], settings)


def _row(
    make: Callable[..., Plugin], function: Callable[..., Any], expected: Callable[..., np.ndarray], **row: Any
) -> Attack:
    return Attack(
        make.__name__,
        make,
        lambda u, m, root, g, **s: function(u, m, generator=g, **s),
        lambda u, m, root, draws, **s: expected(u, m, **s),
        needs_benign=True,
        **row,
    )


class Planted(callbacks.Trapsetter):
    """The attack with a bad model that nobody has to look for; tests/callbacks/attacks has the search."""

    def prepare(self, local: LocalWork) -> None:
        """Keeps nothing."""

    def craft(self, round: Round) -> Tensor | None:
        planted = {"target": torch.full_like(round.parameters, 0.3)}
        return super().craft(round.replace(memory=round.memory or planted))


PARTIAL = {"knowledge": "partial"}
ALIE_GOLDEN = [
    golden([1.523064, 1.046127, -0.261855], z="formula"),
    golden([2.476936, 2.953873, 2.261855], z="formula", sign="plus"),
    golden([2 - 0.816497, 2 - 1.632993, 1 - 2.160247], z=1.0, ddof=1),
    golden([0.939340, -0.121320, -1.806243]),
]
LEARNT = {
    "mean": torch.zeros(3).double(),
    "direction": torch.tensor([2.0, -2.0, 1.0]).double() / 3,
    "num_rounds": 1,
    "client": 5,
}
MOVED: dict[str, Any] = {"parameters": [1.0, 0.0, 0.0], "memory": {"parameters": torch.zeros(3)}}

ATTACKS = [
    _row(
        callbacks.ALIE,
        F.alie,
        reference.alie,
        settings=[PARTIAL, {"z": "formula"}, {"z": 0.3, "sign": "plus", "ddof": 1}],
        golden=ALIE_GOLDEN,
    ),
    _row(
        callbacks.IPM,
        F.ipm,
        reference.ipm,
        settings=[PARTIAL, {"epsilon": 10.0}],
        golden=[golden([-1.0, -1.0, -0.5], epsilon=0.5), golden([-0.2, -0.2, -0.1])],
    ),
    _row(
        callbacks.MinMax,
        F.min_max,
        reference.min_max,
        settings=[PARTIAL, {"perturbation": "sign"}, {"perturbation": "unit"}],
        golden=[
            golden([-0.388384, -0.388384, -0.194192], perturbation="unit"),
            golden([3.186141, 4.372281, 4.138233]),
            golden([1.210863, 0.421726, -1.087860], perturbation="minus_std"),
            golden([0.231125, 0.231125, -0.768875], perturbation="sign"),
        ],
    ),
    _row(
        callbacks.MinSum,
        F.min_sum,
        reference.min_sum,
        settings=[PARTIAL, {"perturbation": "sign"}, {"perturbation": "unit", "bound": "min"}],
        golden=[
            golden([2.866025, 3.732051, 3.291288]),
            golden([0.267949, 0.267949, -0.732051], perturbation="sign"),
            golden([0.0, 0.0, 0.0], perturbation="unit"),
            golden([2.408248, 2.816497, 2.080123], bound="min"),
            golden([1.057191, 1.057191, 0.528595], perturbation="unit", bound="min"),
        ],
    ),
    _row(
        callbacks.ByzMean,
        F.byz_mean,
        reference.byz_mean,
        settings=[PARTIAL, {"z": 2.0, "ddof": 1}],
        golden=[
            golden(
                [1.591752, 1.183503, -0.080123],
                [0.775255, -0.449490, -2.240370],
                [0.775255, -0.449490, -2.240370],
                ddof=1,
            )
        ],
    ),
    Attack(
        "Mimic",
        callbacks.Mimic,
        rounds=reference.mimic,
        stream="Mimic",
        settings=[{"warmup_rounds": 3}, {"pick": "smallest", "warmup_rounds": 2}],
        golden=[  # client 5 is malicious, and so another client is chosen
            golden([3.0, 0.0, 1.0])._replace(memory=LEARNT),
            golden([2.0, 4.0, -1.0], pick="smallest")._replace(memory=LEARNT),
            golden([2.0, 2.0, 4.0])._replace(memory=LEARNT | {"client": 3}),
        ],
        needs_benign=True,
    ),
    Attack(
        "ROP",
        partial(callbacks.ROP, z=0.5),  # for which so few clients are no reason to warn
        rounds=lambda given, draws, **s: reference.rop(given, draws, **{"z": 0.5} | s),
        stream="ROP",
        settings=[PARTIAL, {"z": "formula"}, {"z": 0.7, "angle": 250.0, "location_share": 0.4, "reference_share": 0.2}],
        golden=[
            golden([0.815100, 0.647150, 0.739600], z=1.0)._replace(**MOVED),
            golden([1.184900, -0.647150, -0.739600], z=1.0, angle=270.0)._replace(**MOVED),
        ],
        needs_benign=True,
    ),
    Attack(
        "Trapsetter",
        Planted,
        rounds=partial(reference.trapsetter, target=0.3),
        settings=[PARTIAL, {"scale": 2.0}],
        golden=[golden([-1 / 3, -1 / 3, 1.0])._replace(memory={"target": torch.ones(3)})],
        needs_benign=True,
    ),
]
