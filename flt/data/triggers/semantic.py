"""Backdoors without a pattern: what the examples show is the trigger."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.data.examples import ClientData, Examples
from flt.data.triggers.base import Trigger
from flt.errors import InputError


class SemanticTrigger(Trigger):
    """No pattern at all: malicious clients relabel examples of one class, or single examples, as the target class.

    Benign clients keep their examples and right labels.

    Args:
        source_class: The class whose examples malicious clients relabel; the attack success rate is measured on its
            test examples.
        indices: In place of a class, single examples, counted from 0 in the data set's training examples. All malicious
            clients train on each of them, whoever holds it.
        test_indices: The test examples, counted from 0, on which the attack success rate is then measured.

    Raises:
        InputError: Unless either ``source_class`` is given, or ``indices`` and ``test_indices`` are; when used, if they
            are beyond the data.

    Reference:
        Bagdasaryan et al., How To Backdoor Federated Learning, AISTATS 2020, section 4.1.

    Example:
        >>> trigger = SemanticTrigger(source_class=2)
        >>> trigger.tested(Examples(torch.zeros(3, 1), torch.tensor([2, 0, 2])), target_class=0).labels
        tensor([2, 2])
    """

    in_place = True

    def __init__(
        self,
        source_class: int | None = None,
        indices: Sequence[int] | None = None,
        test_indices: Sequence[int] | None = None,
    ) -> None:
        if (source_class is None) == (indices is None) or (indices is None) != (test_indices is None):
            raise InputError(
                f"source_class={source_class}, indices={indices}, test_indices={test_indices} of a trigger: give"
                " source_class, or else both indices and test_indices"
            )
        numbers = {"source_class": [] if source_class is None else [source_class]}
        numbers |= {"indices": list(indices or [0]), "test_indices": list(test_indices or [0])}
        for name, values in numbers.items():
            if not all(0 <= value < 2**63 for value in values):
                raise InputError(f"{name}={values} of a trigger: count from 0")
        if indices is not None and not (len(indices) and len(test_indices or [])):
            raise InputError("indices and test_indices of a trigger: name one example or more in each")
        self.source_class = source_class
        self._class = -1 if source_class is None else source_class
        self.indices = None if indices is None else tuple(indices)
        self.test_indices = None if test_indices is None else tuple(test_indices)

    def __call__(self, features: Tensor) -> Tensor:
        return features.clone()

    def chosen(self, clients: ClientData, malicious: Tensor, target_class: int) -> Tensor:
        """Examples of the class, or those that have been named."""
        if self.indices is None:
            return clients.labels.eq(self._class)
        return torch.isin(self._places(clients), torch.tensor(self.indices, device=clients.labels.device))

    def brought(self, clients: ClientData, malicious: Tensor) -> Examples | None:
        """The examples that have been named, for all malicious clients; those who hold one have it twice."""
        if self.indices is None:
            return None
        places = self._places(clients)
        held = torch.isin(places, torch.tensor(self.indices, device=places.device)).nonzero().flatten()
        missing = set(self.indices) - set(places[held].tolist())
        if not len(held):
            raise InputError(
                f"indices={list(self.indices)} of a trigger: no client holds any of them; the training examples have"
                f" the numbers from 0 to {int(places.max())}, without those of the server's root dataset"
            )
        if missing:
            rank_zero_warn(
                f"indices of a trigger: {len(missing)} of {len(self.indices)} examples are with no client, but in the"
                " server's root dataset or beyond the training examples"
            )
        return Examples(clients.features[held], clients.labels[held])

    def tested(self, test: Examples, target_class: int) -> Examples:
        """Test examples of the class, or those that have been named, without any that are of the target class."""
        if self.source_class == target_class:
            raise InputError(f"source_class={target_class} of a trigger is the target class: choose another one")
        if self.test_indices is None:
            examples = test[test.labels.eq(self._class)]
            if not len(examples):
                raise InputError(f"source_class={self.source_class} of a trigger: there is no such test example")
            return examples
        if max(self.test_indices) >= len(test):
            raise InputError(
                f"test_indices of a trigger reach {max(self.test_indices)}, but there are {len(test)} test examples:"
                f" use numbers from 0 to {len(test) - 1}"
            )
        examples = test[torch.tensor(self.test_indices, device=test.labels.device)]
        if (examples.labels == target_class).all():
            raise InputError(
                f"test_indices={list(self.test_indices)} of a trigger are all of the target class {target_class}:"
                " name others"
            )
        return examples[examples.labels != target_class]

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """Refuses: there is no pattern."""
        raise InputError("a SemanticTrigger has no pattern that could be dealt out in parts: give another trigger")

    def _places(self, clients: ClientData) -> Tensor:
        assert clients.indices is not None, "an attack has returned ClientData without their indices"
        return clients.indices
