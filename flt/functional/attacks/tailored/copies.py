"""Asking a rule what it makes of malicious clients who all send the same."""

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from flt.functional.attacks.knowledge import Knowledge, as_sent
from flt.functional.distances import all_finite
from flt.functional.gram import Gram
from flt.functional.rows import OfRows, Rows

AskedRule = Callable[[Tensor], Tensor]
"""An aggregation rule: updates of shape ``[num_clients, num_params]`` to the aggregate, ``[num_params]``."""


class Copies:
    """Updates in which all malicious clients send one combination of some axes, and what a rule makes of them.

    The malicious rows alone are written for each question. A rule that takes `Rows` gets the Gram matrix as well: it
    follows from that of the benign updates and the axes, which is computed once, however often the rule is asked.

    Args:
        rule: The rule.
        updates: Honest updates of all clients, shape ``[num_clients, num_params]``.
        malicious: Boolean mask, shape ``[num_clients]``.
        axes: What is combined, float64 of shape ``[num_axes, num_params]``.
        knowledge: Under "partial" the malicious clients' own honest updates, one after the other and over again, take
            the places of the benign ones.

    Example:
        >>> honest, malicious = torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([False, False, True])
        >>> copies = Copies(lambda updates: updates.mean(dim=0), honest, malicious, torch.ones(1, 1).double())
        >>> copies.answer(8.0)
        tensor([4.])
    """

    def __init__(
        self, rule: AskedRule, updates: Tensor, malicious: Tensor, axes: Tensor, *, knowledge: Knowledge = "full"
    ) -> None:
        self.rule, self.axes = rule, axes
        self.places = malicious.nonzero().flatten()
        self.others = (~malicious).nonzero().flatten()
        self.imagined = updates.clone()
        if knowledge == "partial":
            own = self.places[torch.arange(len(self.others), device=updates.device) % len(self.places)]
            self.imagined[self.others] = updates[own]
        self.honest = updates[self.places]
        self.is_finite = all_finite(self.imagined) and all_finite(axes)

    def is_picked(self, *factors: float) -> bool:
        """Whether the rule's answer to ``vector(*factors)`` is that vector as the malicious clients send it."""
        answer = self.answer(*factors)
        return torch.equal(answer, self.imagined[self.places[0]])

    def rule_picks(self) -> bool:
        """Whether the rule answers with one of the updates as it is, where malicious clients send honest ones."""
        self.imagined[self.places] = self.honest
        return bool((self.imagined == self.rule(self.imagined)).all(dim=1).any())

    def vector(self, *factors: float) -> Tensor:
        """The combination of the axes with these factors, float64, shape ``[num_params]``."""
        return self.axes.new_tensor(factors) @ self.axes

    def answer(self, *factors: float) -> Tensor:
        """What the rule makes of updates in which all malicious clients send ``vector(*factors)``."""
        self.imagined[self.places] = self._sent(*factors)
        if not isinstance(self.rule, OfRows):
            return self.rule(self.imagined)
        return self.rule.rows(Rows(self.imagined, known_gram=lambda: self._gram(factors), is_finite=self.is_finite))

    def _sent(self, *factors: float) -> Tensor:
        """`as_sent` of the vector, in fewer passes where nothing but a float's range has to be looked at."""
        vector, dtype = self.vector(*factors), self.imagined.dtype
        largest = torch.finfo(dtype).max
        return vector.to(dtype).clamp_(-largest, largest) if self.is_finite else as_sent(vector, dtype)

    def deviation(self, center: Tensor, *factors: float) -> float:
        """Distance of the rule's answer from ``center``, float64 of shape ``[num_params]``."""
        return float(torch.linalg.vector_norm(self.answer(*factors).double() - center))

    @cached_property
    def _gram_of_axes(self) -> Gram:
        """The Gram matrix of the benign updates, first to last, and the axes."""
        return Gram.of(torch.cat([self.imagined[self.others], as_sent(self.axes, self.imagined.dtype)]))

    def _gram(self, factors: tuple[float, ...]) -> Gram:
        """The Gram matrix of the updates whose malicious rows have these factors."""
        num_benign = len(self.others)
        mixing = self.axes.new_zeros(len(self.imagined), num_benign + len(factors))
        mixing[self.others, torch.arange(num_benign, device=mixing.device)] = 1.0
        mixing[self.places, num_benign:] = self.axes.new_tensor(factors)
        return self._gram_of_axes.mixed(mixing)
