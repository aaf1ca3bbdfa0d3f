"""Triggers that choose examples: clean-label and semantic ones."""

import pytest
import torch

from flt.data import CleanLabelTrigger, ClientData, Examples, FeatureTrigger, PixelTrigger, SemanticTrigger
from flt.data.backdoor import Backdoor, poisoned
from flt.errors import InputError

TEST = Examples(torch.arange(5.0)[:, None], torch.tensor([0, 1, 2, 1, 0]))
EVERYBODY = torch.ones(3, dtype=torch.bool)
LABELS = [0, 1, 2, 1, 0, 1]  # of three clients with two examples each


def clients() -> ClientData:
    examples = Examples(torch.arange(6.0)[:, None], torch.tensor(LABELS))
    return ClientData.from_owners(examples, torch.tensor([0, 0, 1, 1, 2, 2]), 3)


def held_after(backdoor: Backdoor, *malicious: int, fraction: float = 1.0) -> list[list[tuple[float, int]]]:
    """Feature and label of each example, by client."""
    mask = torch.isin(torch.arange(3), torch.tensor(malicious))
    held = poisoned(clients(), mask, backdoor, fraction=fraction, generator=torch.Generator())
    parts = [held.of(client) for client in range(3)]
    return [list(zip(part.features.flatten().tolist(), part.labels.tolist(), strict=True)) for part in parts]


def test_clean_labels() -> None:
    trigger = CleanLabelTrigger(FeatureTrigger([0], 9.0))
    first, second, third = held_after(Backdoor(trigger, 1), 1, 2)
    assert first == [(0, 0), (1, 1)]
    assert second == [(2, 2), (3, 1), (9, 1)]
    assert third == [(4, 0), (5, 1), (9, 1)]
    assert trigger.tested(TEST, 1) is None
    parts = CleanLabelTrigger(PixelTrigger([(0, 0), (1, 1)])).parts(2)
    assert [part.trigger.positions for part in parts] == [((0, 0),), ((1, 1),)]


def test_a_class_as_the_trigger() -> None:
    trigger = SemanticTrigger(source_class=1)
    assert held_after(Backdoor(trigger, 2), 1) == [[(0, 0), (1, 1)], [(2, 2), (3, 2)], [(4, 0), (5, 1)]]
    tested = trigger.tested(TEST, 2)
    assert tested.features.flatten().tolist() == [1, 3]
    assert torch.equal(trigger(tested.features), tested.features)


def test_single_examples_as_the_trigger() -> None:
    """A malicious client gets those that others hold as well."""
    trigger = SemanticTrigger(indices=[5, 0], test_indices=[4, 2])
    first, second, third = held_after(Backdoor(trigger, 2), 0, 1)
    assert first == [(0, 2), (1, 1), (0, 2), (5, 2)] or first == [(0, 2), (1, 1), (5, 2), (0, 2)]
    assert sorted(second) == [(0, 2), (2, 2), (3, 1), (5, 2)]
    assert third == [(4, 0), (5, 1)]
    assert trigger.tested(TEST, 2).features.flatten().tolist() == [4]  # the other is of the target class
    with pytest.warns(UserWarning, match="1 of 2 examples are with no client"):
        held_after(Backdoor(SemanticTrigger(indices=[5, 6], test_indices=[0]), 2), 0)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: SemanticTrigger(), "source_class=None, indices=None, test_indices=None of a trigger: give"),
        (lambda: SemanticTrigger(1, [2], [3]), "source_class=1, indices=[2], test_indices=[3] of a trigger: give"),
        (lambda: SemanticTrigger(indices=[2]), "source_class=None, indices=[2], test_indices=None of a trigger"),
        (lambda: SemanticTrigger(indices=[], test_indices=[1]), "indices and test_indices of a trigger: name one"),
        (lambda: SemanticTrigger(-1), "source_class=[-1] of a trigger: count from 0"),
        (lambda: SemanticTrigger(indices=[0, -2], test_indices=[1]), "indices=[0, -2] of a trigger: count from 0"),
        (lambda: SemanticTrigger(1).tested(TEST, 1), "source_class=1 of a trigger is the target class: choose"),
        (lambda: SemanticTrigger(3).tested(TEST, 1), "source_class=3 of a trigger: there is no such test example"),
        (lambda: SemanticTrigger(None, [0], [5]).tested(TEST, 1), "test_indices of a trigger reach 5, but there are 5"),
        (lambda: SemanticTrigger(None, [0], [1, 3]).tested(TEST, 1), "test_indices=[1, 3] of a trigger are all of the"),
        (
            lambda: SemanticTrigger(None, [6], [0]).brought(clients(), EVERYBODY),
            "indices=[6] of a trigger: no client holds any",
        ),
        (lambda: SemanticTrigger(1).parts(2), "a SemanticTrigger has no pattern that could be dealt out in parts"),
        (lambda: CleanLabelTrigger(SemanticTrigger(1)), "trigger=SemanticTrigger of a CleanLabelTrigger is no pattern"),
    ],
)
def test_mistakes(act, message: str) -> None:
    with pytest.raises(InputError) as caught:
        act()
    assert str(caught.value).startswith(message)
