"""What a backdoor's trigger is asked: to mark examples, in training and in evaluation alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from flt.data.examples import ClientData, Examples
from flt.errors import InputError

# Training squares what it sees: the sum of a thousand such squares still fits into float32.
LARGEST_VALUE = 1e17


class Trigger(ABC):
    """What makes the examples of a backdoor: a pattern that can be embedded in any batch of them, say.

    Two triggers are equal if they are of one class and have the same settings, tensors by what is in them.
    """

    in_place: bool = False
    """Whether malicious clients relabel examples themselves, rather than copies of them with a pattern."""

    @abstractmethod
    def __call__(self, features: Tensor) -> Tensor:
        """A copy of ``features`` with the pattern in every example.

        Args:
            features: Examples of shape ``[num_examples, *shape]``.
        """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash((type(self), self._identity))

    @property
    def _identity(self) -> Hashable:
        """What tells triggers of a class apart: all attributes, unless it knows better."""
        return _frozen(vars(self))

    def chosen(self, clients: ClientData, malicious: Tensor, target_class: int) -> Tensor:
        """Which examples malicious clients may use for the backdoor: all of their own, unless a trigger says otherwise.

        Args:
            clients: Local data of all clients.
            malicious: Which clients are malicious, boolean, shape ``[num_clients]``.
            target_class: The class that the backdoor aims at.

        Returns:
            Boolean, shape ``[num_examples]``; what benign clients hold does not matter.
        """
        return torch.ones_like(clients.labels, dtype=torch.bool)

    def brought(self, clients: ClientData, malicious: Tensor) -> Examples | None:
        """Examples that every malicious client has beside its own; None for none. Arguments are those of `chosen`."""
        return None

    def tested(self, test: Examples, target_class: int) -> Examples | None:
        """What the attack success rate is measured on, as yet without the pattern.

        Args:
            test: The test set.
            target_class: The class that the backdoor aims at.

        Returns:
            Examples; None for all test examples of other classes.
        """
        return None

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """The trigger as so many parts, which together make it up; strips of columns unless it knows better.

        Args:
            num_parts: Number of parts, 1 or more.

        Raises:
            InputError: If it has fewer parts.
        """
        return tuple(Strip(self, part, num_parts) for part in range(num_parts))


def _frozen(value: Any) -> Hashable:
    """What equal values have in common and others have not.

    Example:
        >>> _frozen([torch.tensor([1, 0]), {"value": 2.0}])
        (((2,), 1, 0), frozenset({('value', 2.0)}))
    """
    if isinstance(value, Tensor):
        return tuple(value.shape), *value.flatten().tolist()
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(each)) for key, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(map(_frozen, value))
    return value if isinstance(value, Hashable) else id(value)


class Strip(Trigger):
    """A trigger in one of several vertical strips of images, or of ranges of an example's last dimension.

    Args:
        trigger: The whole trigger.
        part: Which strip, counted from 0.
        num_parts: Number of strips, as wide as each other but for a column.

    Example:
        >>> from flt.data.triggers.features import FeatureTrigger
        >>> Strip(FeatureTrigger(range(5), 9.0), 1, 2)(torch.zeros(1, 5))
        tensor([[0., 0., 9., 9., 9.]])
    """

    def __init__(self, trigger: Trigger, part: int, num_parts: int) -> None:
        self.trigger = trigger
        self.part = part
        self.num_parts = num_parts

    def __call__(self, features: Tensor) -> Tensor:
        width = features.shape[-1]
        if width < self.num_parts:
            raise InputError(f"num_parts={self.num_parts} of a trigger: examples of {width} columns have no more parts")
        first, end = (place * width // self.num_parts for place in (self.part, self.part + 1))
        marked = features.clone()
        marked[..., first:end] = self.trigger(features)[..., first:end]
        return marked


def share_out(entries: int, num_parts: int, kind: str) -> list[slice]:
    """Neighbouring entries of a trigger, one range for each part.

    Args:
        entries: Number of entries.
        num_parts: Number of parts.
        kind: What the entries are, for messages.

    Raises:
        InputError: If a part would be empty.

    Example:
        >>> share_out(5, 2, "pixels")
        [slice(0, 2, None), slice(2, 5, None)]
    """
    if entries < num_parts:
        raise InputError(f"num_parts={num_parts} of a trigger of {entries} {kind}: give at most {entries}")
    edges = [part * entries // num_parts for part in range(num_parts + 1)]
    return [slice(*ends) for ends in pairwise(edges)]


def check_value(value: float, name: str = "value") -> None:
    """Raises an `InputError` unless ``value`` is a number that training can square."""
    if not abs(value) <= LARGEST_VALUE:
        raise InputError(
            f"{name}={value} of a trigger: give a number from {-LARGEST_VALUE:g} to {LARGEST_VALUE:g}, which training"
            " can square"
        )


def check_numbers(features: Tensor, trigger: Trigger) -> None:
    """Raises an `InputError` for token ids, which a trigger of this kind cannot compute with."""
    if not features.is_floating_point():
        raise InputError(
            f"a {type(trigger).__name__} computes with numbers, but the examples are integers, such as token ids, of"
            f" the shape {list(features.shape[1:])}: give a FeatureTrigger or a TokenTrigger"
        )
