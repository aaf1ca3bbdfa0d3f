"""The same seed gives the same bits; docs/reliability.md says what equals what."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from cases_of_processes import images
from catalogue import Attack, Rule

from callbacks import FLTrust, MetricsLogger

DETERMINISTIC = {"deterministic": True}


@pytest.fixture(autouse=True)
def settings_of_torch() -> Iterator[None]:
    """Undoes what ``trainer.deterministic`` changes in the process."""
    before = dict(os.environ)
    yield
    torch.use_deterministic_algorithms(False)
    os.environ.clear()
    os.environ.update(before)


def outcome(folder: Path, *callbacks: Any, trainer_settings: dict[str, object] | None = None, **settings: Any) -> Any:
    """Everything that a run leaves in memory: the global model, and the row of metrics of each round."""
    metrics = MetricsLogger()
    server = tiny.fit(folder, *callbacks, metrics, trainer_settings=trainer_settings, **settings)
    return server.state_dict(), metrics.rows


def same(first: Any, second: Any) -> bool:
    """Whether two runs came out alike, bit for bit."""
    (state, rows), (other_state, other_rows) = first, second
    alike = state.keys() == other_state.keys() and all(torch.equal(state[name], other_state[name]) for name in state)
    return alike and repr(rows) == repr(other_rows)  # as text, in which a NaN is like another


@pytest.mark.filterwarnings("ignore")  # about what comes out
def test_rules_under_attacks(pair: tuple[Rule, Attack], tmp_path: Path) -> None:
    """A run with deterministic algorithms is one without, wherever the global generators are."""
    rule, attack = pair
    settings: dict[str, Any] = {"clients_per_round": 7, "local_steps": 2, "num_byzantine": 2}  # whoever attacks
    settings["clients_per_chunk"] = 3  # "auto" may choose otherwise where it may measure
    settings["root_batch_size"] = 9 if rule.needs_root else None
    plain = outcome(tmp_path, rule.make(), attack.make(), **settings)
    torch.manual_seed(99), np.random.seed(99), random.seed(99)  # noqa: NPY002
    assert same(plain, outcome(tmp_path, rule.make(), attack.make(), trainer_settings=DETERMINISTIC, **settings))
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.filterwarnings("ignore")
def test_images_with_batch_normalisation(tmp_path: Path) -> None:
    """A convolution, batch normalisation, crops and flips."""

    def run(**trainer_settings: object) -> Any:
        made = images()
        return outcome(tmp_path, FLTrust(), trainer_settings=trainer_settings, **made)

    assert same(run(deterministic=True), run(deterministic=True))
    assert same(run(deterministic=True), run())


def test_a_seed_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that none of the above is the same for want of any draws."""
    first = outcome(tmp_path, FLTrust())
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    assert not same(first, outcome(tmp_path, FLTrust()))
