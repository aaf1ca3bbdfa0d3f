"""Edge cases as the trigger: a class's unusual examples, and examples from outside."""

from pathlib import Path

import numpy as np
import pytest
import torch

from flt.data import ClientData, Examples, OutsideTrigger, TailTrigger
from flt.data.backdoor import Backdoor, poisoned
from flt.errors import InputError

VALUES = [0.0, 1, 6, 0, 7, 1, 9, 10, 9, 8]  # classes 0 and 1, around 1 and 9
LABELS = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
TEST = Examples(torch.tensor(VALUES)[:, None], torch.tensor(LABELS))


def clients() -> ClientData:
    """Two of class 0 and two of class 1 for the first, four of class 0 for the second, two of class 1 for the third."""
    return ClientData.from_owners(TEST, torch.tensor([0, 0, 1, 1, 1, 1, 0, 0, 2, 2]), 3)


def held_after(trigger, malicious: list[bool]) -> list[list[tuple[float, int]]]:
    held = poisoned(clients(), torch.tensor(malicious), Backdoor(trigger, 1), fraction=1.0, generator=torch.Generator())
    parts = [held.of(client) for client in range(3)]
    return [list(zip(part.features.flatten().tolist(), part.labels.tolist(), strict=True)) for part in parts]


def test_unusual_examples_of_all_malicious_clients_together() -> None:
    first, second, third = held_after(TailTrigger(0, tail=0.34), [True, True, False])
    assert first[:4] == [(0, 0), (1, 0), (9, 1), (10, 1)]
    assert second[:4] == [(6, 1), (0, 0), (7, 1), (1, 0)]
    assert sorted(first[4:]) == sorted(second[4:]) == [(6, 1), (7, 1)]
    assert third == [(9, 1), (8, 1)]
    assert TailTrigger(0, 0.34).tested(TEST, 1).features.flatten().tolist() == [6, 7]
    with pytest.warns(UserWarning, match="no malicious client has an example of class 0: the backdoor is not trained"):
        held_after(TailTrigger(0), [False, False, True])


def test_examples_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "outside.npz"
    np.savez(path, x_train=np.array([[50.0], [51]]), x_test=np.array([[52.0], [53]]), y_test=np.array([0, 1]))
    trigger = OutsideTrigger(str(path))
    first, second, third = held_after(trigger, [True, False, True])
    assert sorted(first) == [(0, 0), (1, 0), (9, 1), (10, 1), (50, 1), (51, 1)]
    assert second == [(6, 0), (0, 0), (7, 0), (1, 0)]
    assert sorted(third) == [(8, 1), (9, 1), (50, 1), (51, 1)]
    tested = trigger.tested(TEST, 1)
    assert (tested.features.tolist(), tested.labels.tolist()) == ([[52]], [0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_test": np.zeros((1, 1))}, " has no array x_train, only x_test"),
        ({"x_train": np.zeros((1, 2))}, ": x_train has examples of shape [2], the data set examples of shape [1]"),
        ({"x_train": np.zeros((1, 1), int)}, ": x_train has integers of shape [1], the data set examples of shape"),
        ({"x_train": np.full((1, 1), np.inf)}, ": x_train has values that are not finite"),
        ({"x_train": np.array([[None]])}, ": x_train cannot be read (it holds Python objects)"),
        ({"x_test": np.zeros((2, 1)), "y_test": np.zeros(1, int)}, ": x_test has 2 examples, y_test 1: store one each"),
        ({"x_test": np.zeros((1, 1)), "y_test": np.array([2])}, ": y_test has class 2, but the data set's classes go"),
        ({"x_test": np.zeros((1, 1)), "y_test": np.array([1])}, ": all of y_test are of the target class 1: store"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    path = tmp_path / "outside.npz"
    np.savez(path, **arrays)
    trigger = OutsideTrigger(str(path))
    with pytest.raises(InputError) as caught:
        trigger.tested(TEST, 1) if "y_test" in arrays else trigger.brought(clients(), torch.ones(3, dtype=torch.bool))
    assert str(caught.value).startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: TailTrigger(-1), "source_class=-1 of a trigger: count from 0"),
        (lambda: TailTrigger(0, 0.0), "a trigger's tail=0.0 must be above 0 and at most 1"),
        (lambda: TailTrigger(1).tested(TEST, 1), "source_class=1 of a trigger is the target class"),
        (lambda: TailTrigger(2).tested(TEST, 1), "source_class=2 of a trigger: there is no such test example"),
        (lambda: TailTrigger(0)(torch.zeros(1, 1, dtype=torch.long)), "a TailTrigger computes with numbers"),
        (lambda: TailTrigger(0).parts(2), "a TailTrigger has no pattern that could be dealt out in parts"),
        (lambda: OutsideTrigger("nope.npz"), "path='nope.npz' of a trigger: there is no such file"),
    ],
)
def test_mistakes(act, message: str) -> None:
    with pytest.raises(InputError) as caught:
        act()
    assert str(caught.value).startswith(message)
