"""Fixtures of rules and attacks, the rows of the tables, and of runs; tests/conftest.py makes them known."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import tiny
import torch
from catalogue import ATTACKS, PAIRS, RULES, Attack, Rule

torch.set_num_threads(1)  # on tensors as small as these, threads would only wait for each other


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


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
