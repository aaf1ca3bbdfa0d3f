"""Bucketing as a callback."""

import torch
from torch import Tensor

from callbacks.aggregation import FedAvg
from flt.errors import InputError
from flt.federation import Aggregation, Federation, PreAggregation, Round
from flt.functional import bucketing


class Bucketing(PreAggregation):
    """Averages the updates in random groups, then applies a rule to the means.

    Args:
        rule: The rule that gets the means of the buckets; null is FedAvg.
        size: Clients in a bucket (s).

    Raises:
        InputError: If ``size`` is below 1, or the rule is not defined for so few rows; before the first round.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022.
    """

    def __init__(self, rule: Aggregation | None = None, size: int = 2) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        if size < 1:
            raise InputError(f"aggregation.size={size}: a bucket holds 1 client or more")
        self.size = size

    def num_rows(self, num_clients: int) -> int:
        """Number of buckets."""
        return -(-num_clients // self.size)

    def describe(self, federation: Federation) -> str:
        """The size of a bucket and the rule with its settings."""
        return f"{super().describe(federation)}, size {self.size}"

    def mix(self, round: Round) -> Tensor:
        """Applies `flt.functional.bucketing` to an order that is drawn anew each round."""
        # Buckets of buckets have fewer rows, and with them an order of their own.
        order = torch.randperm(len(round), generator=round.generator(f"bucketing of {len(round)}"), device=round.device)
        return bucketing(len(round), size=self.size, order=order)
