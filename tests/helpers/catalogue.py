"""One table of rules and one of attacks, which every general test and the benchmark of rules read.

A new rule or attack is tested by its row. The file lies beside the references, on pytest's path: with ``tests/`` itself
there, ``import callbacks`` and ``import data`` would find the folders of tests.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import agreement
import numpy as np
import reference
import torch
from torch import Tensor

import callbacks
from flt import federation
from flt import functional as F

EXAMPLE = ((1.0, 0.1), (2.1, 1.0), (0.8, 2.0), (2.0, 2.2), (0.1, 1.1), (1.2, 0.9), (10.0, -10.0))
"""Seven updates, the last of an attacker, for which the golden vectors are known; one client is to be tolerated."""
EXAMPLE_ROOT = (1.0, 1.0)


class Golden(NamedTuple):
    """A result known from elsewhere, and the settings with which it comes out."""

    expected: tuple[float, ...]
    settings: Mapping[str, Any] = MappingProxyType({})


class Rule(NamedTuple):
    """A row of `RULES`: how a rule is made, and what it is to compute.

    Functions get the updates, the root update, the sizes of the clients' data and the number f of malicious clients to
    tolerate, in this order, and further settings by name.

    Attributes:
        name: What summaries call the rule.
        make: Makes the callback.
        function: The aggregate as `flt.functional` computes it.
        reference: The same in NumPy.
        golden: What is to come out for `EXAMPLE`.
        fewest: The least number of clients for which the rule is defined, as a function of f.
        compare: How a fuzzed aggregate is held against the reference, a function of tests/helpers/agreement.py.
        weights: Each client's share of the aggregate, in NumPy; None for a rule that says none.
        statistics: What becomes of the statistics of batch normalisation, given updates, statistics and f; None where
            it follows from the weights, or where they are a rule's rows like the updates.
        trust: Trust scores, in NumPy, given updates and root update; None for a rule without any.
        keeps_root: Whether the root update is in the mean, so that there is one even of nobody.
        selects: Whether the aggregate is the update of one client.
        robust: Whether two huge updates among ten leave the aggregate as long as the others.
        bounded: Whether the aggregate lies between what it is a mean of.
        unanimous: Whether clients who all send the root update get it.
    """

    name: str
    make: Callable[..., federation.Aggregation]
    function: Callable[..., Tensor]
    reference: Callable[..., np.ndarray]
    golden: Sequence[Golden]
    fewest: Callable[[int], int] = lambda f: 1
    compare: Callable[..., None] = agreement.entries
    weights: Callable[..., np.ndarray] | None = None
    statistics: Callable[..., np.ndarray] | None = None
    trust: Callable[..., np.ndarray] | None = None
    keeps_root: bool = False
    selects: bool = False
    robust: bool = True
    bounded: bool = True
    unanimous: bool = True

    def tolerated(self, f: int, num_clients: int) -> int:
        """How many malicious clients the rule tolerates where f are expected, after some updates were dropped."""
        return next((fewer for fewer in range(f, 0, -1) if self.fewest(fewer) <= num_clients), 0)

    def of_statistics(
        self, updates: np.ndarray, statistics: np.ndarray, root: Any, root_statistics: Any, sizes: np.ndarray, f: int
    ) -> np.ndarray:
        """What the rule makes of the statistics of batch normalisation, in NumPy."""
        if self.statistics is not None:
            return self.statistics(updates, statistics, f)
        if self.weights is None:
            return self.reference(statistics, root_statistics, sizes, f)
        weights = self.weights(updates, root, sizes, f)
        return weights @ statistics + ((1 - weights.sum()) * root_statistics if self.keeps_root else 0.0)


def _fltrust(
    name: str, golden: tuple[float, float], *, robust: bool = True, bounded: bool = True, **settings: Any
) -> Rule:
    """FLTrust, or one of its variants of Table IV."""
    score, include_root = settings.get("score", "relu"), settings.get("include_root", False)
    trust = partial(reference.trust_scores, score=score)

    def weights(updates: np.ndarray, root: np.ndarray, sizes: np.ndarray, f: int) -> np.ndarray:
        scores = trust(updates, root)
        total = scores.sum() + include_root
        return scores / total if total else scores

    return Rule(
        name,
        partial(callbacks.FLTrust, **settings),
        lambda u, root, sizes, f: F.fltrust(u, root, **settings),
        lambda u, root, sizes, f: reference.fltrust(u, root, **settings),
        [Golden(golden)],
        compare=partial(agreement.trust, **settings),
        weights=weights,
        trust=trust,
        keeps_root=include_root,
        robust=robust,
        bounded=bounded,
    )


def _bucket(updates: Tensor, root: Tensor, sizes: Tensor, f: int) -> Tensor:
    mixing = F.bucketing(len(updates), size=1000, order=torch.arange(len(updates))).to(updates)
    return F.fedavg(mixing / mixing.sum(dim=1, keepdim=True) @ updates, torch.ones(len(mixing)))  # from float32


RULES = [
    Rule(
        "FedAvg",
        callbacks.FedAvg,
        lambda u, root, sizes, f: F.fedavg(u, sizes),
        lambda u, root, sizes, f: reference.fedavg(u, sizes),
        [Golden((2.457143, -0.385714))],
        weights=lambda u, root, sizes, f: reference.shares(sizes),
        robust=False,
    ),
    Rule(
        "Krum",
        callbacks.Krum,
        lambda u, root, sizes, f: F.krum(u, num_byzantine=f),
        lambda u, root, sizes, f: reference.krum(u, f),
        [Golden((1.2, 0.9))],
        fewest=lambda f: f + 3,
        compare=agreement.selection,
        weights=lambda u, root, sizes, f: np.eye(len(u))[np.argmin(reference.krum_scores(u, f))],
        selects=True,
    ),
    Rule(
        "TrimmedMean",
        callbacks.TrimmedMean,
        lambda u, root, sizes, f: F.trimmed_mean(u, trim=f),
        lambda u, root, sizes, f: reference.trimmed_mean(u, f),
        [Golden((1.42, 1.02))],
        fewest=lambda f: 2 * f + 1,
        compare=partial(agreement.entries, trimmed=lambda n, f: f),
    ),
    Rule(
        "Median",
        callbacks.Median,
        lambda u, root, sizes, f: F.median(u),
        lambda u, root, sizes, f: reference.median(u),
        [Golden((1.2, 1.0))],
        compare=partial(agreement.entries, trimmed=lambda n, f: (n - 1) // 2),
    ),
    Rule(
        "NNM(Median)",
        lambda: callbacks.NNM(callbacks.Median()),
        lambda u, root, sizes, f: F.median(F.nearest_neighbor_mixing(u, num_byzantine=f) @ u),
        lambda u, root, sizes, f: reference.median(reference.nnm(u, f)),
        [Golden((1.2, 1.216667))],
        fewest=lambda f: 2 * f + 1,
        compare=agreement.bounded,
        statistics=lambda u, statistics, f: reference.median(reference.nnm_mixing(u, f) @ statistics),
    ),
    # One bucket, whose mean does not depend on the order; tests/callbacks/test_preaggregation.py has more of them.
    Rule(
        "Bucketing(FedAvg)",
        partial(callbacks.Bucketing, size=1000),
        _bucket,
        lambda u, root, sizes, f: u.mean(axis=0),
        [Golden((2.457143, -0.385714))],
        weights=lambda u, root, sizes, f: np.full(len(u), 1 / len(u)),
        robust=False,
    ),
    Rule(
        "NormBoundedMean",
        partial(callbacks.NormBoundedMean, max_norm=0.5),
        lambda u, root, sizes, f, max_norm=0.5: F.norm_bounded_mean(u, sizes, max_norm=max_norm),
        lambda u, root, sizes, f, max_norm=0.5: reference.norm_bounded_mean(u, sizes, max_norm),
        [Golden((1.086866, 0.697498), {"max_norm": 2.0}), Golden((2.457143, -0.385714), {"max_norm": 15.0})],
        compare=partial(agreement.entries, longest=0.5),
        weights=lambda u, root, sizes, f: reference.shares(sizes),
    ),
    _fltrust("FLTrust", (0.916777, 0.900505)),
    _fltrust("FLTrust-Server", (1.0, 1.0), score="none", include_root=True),
    _fltrust("FLTrust-withServer", (0.929796, 0.916070), include_root=True),
    _fltrust("FLTrust-NoReLU", (0.916777, 0.900505), score="signed", robust=False, bounded=False),
    _fltrust("FLTrust-NoNorm", (1.251884, 1.259441), magnitude="own", robust=False),
    _fltrust("FLTrust-ParNorm", (0.854341, 0.850726), magnitude="at_most_root"),
]


class Draws:
    """Random numbers for a reference, as the attack draws them from the same generator."""

    def __init__(self, generator: torch.Generator, dtype: torch.dtype) -> None:
        self.generator, self.dtype = generator, dtype

    def uniform(self, *shape: int) -> np.ndarray:
        return torch.rand(*shape, generator=self.generator, dtype=self.dtype).double().numpy()

    def normal(self, *shape: int) -> np.ndarray:
        return torch.randn(*shape, generator=self.generator, dtype=self.dtype).double().numpy()


class Attack(NamedTuple):
    """A row of `ATTACKS`: how an attack is made, and what it is to send.

    Functions get the updates, who is malicious and the root update, in this order, then a generator or `Draws`, and
    further settings by name.

    Attributes:
        name: For people.
        make: Makes the callback.
        function: What is sent as `flt.functional` computes it; None for an attack that has no function there.
        reference: The same in NumPy; None for an attack that sends honest updates, or an optimum that its own test
            looks for.
        stream: The attack's random stream of a round.
        settings: Further settings under which callback and function are to agree.
        golden: What is to come out for honest updates; updates, malicious, and what is sent.
        labels: Labels of ten classes, and those on which a malicious client trains instead; None if there are no
            others.
        blind: Whether benign updates make no difference.
        by_client: Whether what a malicious client sends depends on no other client's update; else the malicious rows
            are crafted first to last.
        needs_benign: Whether nothing is sent where nobody is benign.
        finite: Whether finite updates are answered by finite ones.
        precision: Relative and absolute error that rounding in float32 may cause.
    """

    name: str
    make: Callable[..., federation.Attack]
    function: Callable[..., Tensor] | None = None
    reference: Callable[..., np.ndarray] | None = None
    stream: str = "none"
    settings: Sequence[dict[str, Any]] = ()
    golden: Sequence[tuple[Any, Any, Any, dict[str, Any]]] = ()
    labels: tuple[list[int], list[int]] | None = None
    blind: bool = False
    by_client: bool = False
    needs_benign: bool = False
    finite: bool = True
    precision: float = 1e-5


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
    u: np.ndarray, m: np.ndarray, root: np.ndarray, draws: Draws, *, sweeps: int = 2, steps: int = 3, **settings: Any
) -> np.ndarray:
    shape = int(m.sum()), u.shape[1]
    start = draws.uniform(*shape)
    normal = np.stack([draws.normal(shape[0], steps, shape[1]) for _ in range(sweeps)])
    return reference.adaptive_zeroth_order(u, m, root, start, normal, **settings)


ATTACKS = [
    Attack("NoAttack", callbacks.NoAttack),
    Attack("LabelFlipping", callbacks.LabelFlippingAttack, labels=([0, 3, 7, 9], [9, 6, 2, 0])),
    _krum("full", name="Krum", needs_benign=True),
    _krum("partial", name="Krum-partial", blind=True),
    _trim("full", [{"stretch": 5.0}], name="Trim", needs_benign=True),
    _trim("partial", name="Trim-partial", blind=True),
    Attack(
        "Scaling",
        callbacks.ScalingAttack,
        reference=lambda u, m, root, draws, scale=None: np.where(m[:, None], (scale or len(u)) * u, u),
        settings=[{"scale": 2.5}, {"scale": 0.5}],
        golden=[([[0.1, -0.2, 0.3]], [True], [[1 / 3, -2 / 3, 1.0]], {"scale": 10 / 3})],
        blind=True,
        by_client=True,
        finite=False,
    ),
    Attack(
        "Adaptive",
        partial(callbacks.AdaptiveAttack, **FEW_STEPS),
        lambda u, m, root, g, **s: F.adaptive_attack(u, m, root, generator=g, **FEW_STEPS | s),
        _zeroth_order,
        "adaptive attack",
        [{"sweeps": 1, "steps": 2, "noise_variance": 0.1, "probe": 0.02, "step_size": 0.3}],
        precision=1e-3,  # a probe divides the rounding error of the objective by 0.005
    ),
    Attack(
        "Adaptive-exact",
        partial(callbacks.AdaptiveAttack, solver="exact"),
        lambda u, m, root, g, **s: F.adaptive_attack(u, m, root, solver="exact", generator=g, **s),
        stream="adaptive attack",
    ),
]

First, Second = TypeVar("First"), TypeVar("Second")


def cover(first: Sequence[First], second: Sequence[Second]) -> list[tuple[First, Second]]:
    """Pairs of two tables in which each row meets two of the other table, as many as twice the longer table has rows.

    Example:
        >>> cover("abc", "xy")
        [('a', 'x'), ('b', 'y'), ('c', 'x'), ('a', 'y'), ('b', 'x'), ('c', 'y')]
    """
    turns = range(max(len(first), len(second)))
    return [(first[k % len(first)], second[(k + shift) % len(second)]) for shift in (0, 1) for k in turns]


PAIRS = cover(RULES, ATTACKS)
