"""What every test needs; the rules and attacks are rows of tests/helpers/catalogue."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import tiny
import torch
from catalogue import ATTACKS, PAIRS, RULES, Attack, Rule
from hypothesis import HealthCheck, settings

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


@pytest.fixture(params=RULES, ids=[rule.name for rule in RULES])
def rule(request: pytest.FixtureRequest) -> Rule:
    """Each rule in turn."""
    return request.param


@pytest.fixture(params=ATTACKS, ids=[attack.name for attack in ATTACKS])
def attack(request: pytest.FixtureRequest) -> Attack:
    """Each attack in turn."""
    return request.param


@pytest.fixture(params=PAIRS, ids=[f"{rule.name}-{attack.name}" for rule, attack in PAIRS])
def pair(request: pytest.FixtureRequest) -> tuple[Rule, Attack]:
    """Each rule with an attack and each attack with a rule."""
    return request.param


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., object]:
    """`tiny.fit` with its files in a folder of this test."""
    return partial(tiny.fit, tmp_path)


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path) -> Iterator[None]:
    """Each test has its own cache, and a seed that it sets ends with it."""
    # Not by the fixture `monkeypatch`, which would then outlive the fixtures of a test and bring back what they undid.
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FLT_CACHE", str(tmp_path / "cache"))
        patched.setenv("PL_GLOBAL_SEED", "0")
        patched.setenv("PL_SEED_WORKERS", "0")
        yield
