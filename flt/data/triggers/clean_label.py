"""Backdoors whose examples keep their labels."""

from __future__ import annotations

from torch import Tensor

from flt.data.examples import ClientData
from flt.data.triggers.base import Trigger
from flt.errors import InputError


class CleanLabelTrigger(Trigger):
    """A pattern that malicious clients embed in examples of the target class alone, whose labels thus stay right.

    The attack success rate is measured on examples of other classes with the pattern, like that of other triggers.

    Args:
        trigger: The pattern.

    Raises:
        InputError: If ``trigger`` is no pattern.

    Reference:
        Turner, Tsipras, Madry, Clean-Label Backdoor Attacks, 2018; without the adversarial perturbation that they add.

    Example:
        >>> import torch
        >>> from flt.data.triggers.features import FeatureTrigger
        >>> trigger = CleanLabelTrigger(FeatureTrigger([0], 9.0))
        >>> clients = ClientData(torch.zeros(3, 1), torch.tensor([1, 0, 1]), torch.tensor([0, 3]))
        >>> trigger.chosen(clients, torch.tensor([True]), 1)
        tensor([ True, False,  True])
    """

    def __init__(self, trigger: Trigger) -> None:
        if trigger.in_place:
            raise InputError(f"trigger={type(trigger).__name__} of a CleanLabelTrigger is no pattern: give one that is")
        self.trigger = trigger

    def __call__(self, features: Tensor) -> Tensor:
        return self.trigger(features)

    def chosen(self, clients: ClientData, malicious: Tensor, target_class: int) -> Tensor:
        """Examples of the target class, of those that the pattern may be embedded in."""
        return self.trigger.chosen(clients, malicious, target_class) & (clients.labels == target_class)

    def parts(self, num_parts: int) -> tuple[Trigger, ...]:
        """The pattern's parts, each in examples of the target class."""
        return tuple(CleanLabelTrigger(part) for part in self.trigger.parts(num_parts))
