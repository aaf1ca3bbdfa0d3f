"""The lists of all rules and attacks, and what every test of a run needs; a new one is tested by being added here."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import reference
import tiny
import torch
from hypothesis import HealthCheck, settings

from callbacks import (
    NNM,
    AdaptiveAttack,
    Bucketing,
    FedAvg,
    FLTrust,
    Krum,
    KrumAttack,
    LabelFlippingAttack,
    Median,
    NoAttack,
    NormBoundedMean,
    ScalingAttack,
    TrimAttack,
    TrimmedMean,
)
from flt.federation import Aggregation, Attack

os.environ.setdefault("FLT_CACHE", tempfile.mkdtemp(prefix="flt-cache-"))  # tests leave nothing in the user's
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what a test starts shares the cores with the other workers
# A fixture that names a rule or an attack is as good in every example.
alike = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
settings.register_profile("short", deadline=None, suppress_health_check=alike, derandomize=True, max_examples=200)
settings.register_profile("long", deadline=None, suppress_health_check=alike, max_examples=10_000)
torch.set_num_threads(1)  # on tensors as small as these, threads would only wait for each other


@pytest.fixture(autouse=True)
def sigterm_as_it_was() -> Iterator[None]:
    """Ray, once started, ends the process by itself."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Rule(NamedTuple):
    """How a rule is made, and what it is to compute.

    ``compare`` says how a fuzzed aggregate is held against the reference: entry by entry, as one of the closest updates
    ("selection"), or only by the range of the updates ("bounded"). ``reference`` takes updates, root update, sizes of
    the clients' data and the number of malicious clients to expect.
    """

    name: str
    make: Callable[[], Aggregation]
    reference: Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
    compare: str = "entries"


RULES = [
    Rule("FedAvg", FedAvg, lambda u, root, sizes, f: reference.fedavg(u, sizes)),
    Rule("Krum", Krum, lambda u, root, sizes, f: reference.krum(u, f), "selection"),
    Rule("TrimmedMean", TrimmedMean, lambda u, root, sizes, f: reference.trimmed_mean(u, f)),
    Rule("Median", Median, lambda u, root, sizes, f: reference.median(u)),
    Rule(
        "NNM(Median)",
        partial(NNM, Median()),
        lambda u, root, sizes, f: reference.median(reference.nnm(u, f)),
        "bounded",
    ),
    # One bucket, whose mean does not depend on the order; tests/callbacks/test_preaggregation.py has more of them.
    Rule("Bucketing(FedAvg)", partial(Bucketing, size=1000), lambda u, root, sizes, f: u.mean(axis=0)),
    Rule(
        "NormBoundedMean",
        partial(NormBoundedMean, 0.5),
        lambda u, root, sizes, f: reference.norm_bounded_mean(u, sizes, 0.5),
    ),
    Rule("FLTrust", FLTrust, lambda u, root, sizes, f: reference.fltrust(u, root)),
    Rule("FLTrust-Server", partial(FLTrust, variant="Server"), lambda u, root, sizes, f: root),
    Rule(
        "FLTrust-withServer",
        partial(FLTrust, variant="withServer"),
        lambda u, root, sizes, f: reference.fltrust(u, root, include_root=True),
    ),
    Rule(
        "FLTrust-NoReLU",
        partial(FLTrust, variant="NoReLU"),
        lambda u, root, sizes, f: reference.fltrust(u, root, score="signed"),
    ),
    Rule(
        "FLTrust-NoNorm",
        partial(FLTrust, variant="NoNorm"),
        lambda u, root, sizes, f: reference.fltrust(u, root, magnitude="own"),
    ),
    Rule(
        "FLTrust-ParNorm",
        partial(FLTrust, variant="ParNorm"),
        lambda u, root, sizes, f: reference.fltrust(u, root, magnitude="at_most_root"),
    ),
]
ATTACKS: dict[str, Callable[[], Attack]] = {
    "NoAttack": NoAttack,
    "LabelFlipping": LabelFlippingAttack,
    "Krum": KrumAttack,
    "Krum-partial": partial(KrumAttack, knowledge="partial"),
    "Trim": TrimAttack,
    "Trim-partial": partial(TrimAttack, knowledge="partial"),
    "Scaling": ScalingAttack,
    "Adaptive": partial(AdaptiveAttack, sweeps=2, steps=3),
    "Adaptive-exact": partial(AdaptiveAttack, solver="exact"),
}


@pytest.fixture(params=RULES, ids=[rule.name for rule in RULES])
def rule(request: pytest.FixtureRequest) -> Rule:
    """Each rule in turn."""
    return request.param


@pytest.fixture(params=ATTACKS.values(), ids=ATTACKS)
def make_attack(request: pytest.FixtureRequest) -> Callable[[], Attack]:
    """Makes each attack in turn."""
    return request.param


@pytest.fixture
def listed() -> tuple[list[Rule], dict[str, Callable[[], Attack]]]:
    """Both lists."""
    return RULES, ATTACKS


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., object]:
    """`tiny.fit` with its files in a folder of this test."""
    return partial(tiny.fit, tmp_path)


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test has its own cache, and a seed that it sets ends with it."""
    monkeypatch.setenv("FLT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "0")
