"""Bucketing and s-resampling as a callback."""

from typing import Literal

import torch
from torch import Tensor

from callbacks.aggregation import FedAvg
from flt.errors import check_choice, check_count
from flt.federation import Aggregation, Federation, PreAggregation, Round
from flt.functional import bucketing, resampling

Mode = Literal["buckets", "resampling"]


class Bucketing(PreAggregation):
    """Averages the updates in random groups, then applies a rule to the means.

    Args:
        rule: The rule that gets the means of the buckets; null is FedAvg.
        size: Clients in a bucket (s).
        mode: With "buckets" each client is in one of them, and there are ``n / s``, rounded up. With "resampling", the
            method's first version, there are as many as clients, and each client is drawn s times; the rule then
            expects s times as many malicious rows.

    Raises:
        InputError: If ``size`` is below 1, or the rule is not defined for so few rows, or not for rows of several
            clients; before the first round.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022; its
        first version is of 2020, via Resampling.
    """

    def __init__(self, rule: Aggregation | None = None, size: int = 2, mode: Mode = "buckets") -> None:
        super().__init__(FedAvg() if rule is None else rule)
        check_count("aggregation.size", size)
        check_choice("aggregation.mode", mode, Mode)
        self.size, self.mode = size, mode

    def num_rows(self, num_clients: int) -> int:
        """Number of buckets."""
        return num_clients if self.mode == "resampling" else -(-num_clients // self.size)

    @property
    def rows_are_clients(self) -> bool:
        """Whether a bucket holds one client."""
        return self.size == 1

    def inside(self, federation: Federation) -> Federation:
        """The federation with as many rows, and as many malicious ones, as the inner rule will see."""
        inside = super().inside(federation)
        if self.mode == "buckets":
            return inside
        return inside.replace(num_byzantine=min(self.size * federation.num_byzantine, federation.num_clients))

    def describe(self, federation: Federation) -> str:
        """The size of a bucket and the rule with its settings."""
        mode = "" if self.mode == "buckets" else f", {self.mode}"
        return f"{super().describe(federation)}, size {self.size}{mode}"

    def mix(self, round: Round) -> Tensor:
        """Applies `flt.functional.bucketing` or `resampling` to an order that is drawn anew each round."""
        num_clients = len(round)
        if self.mode == "buckets":
            # Buckets of buckets have fewer rows, and with them an order of their own.
            source = round.generator(f"bucketing of {num_clients}")
            order = torch.randperm(num_clients, generator=source, device=round.device)
            return bucketing(num_clients, size=self.size, order=order)
        source = round.generator(f"resampling of {num_clients} for {self.label}")  # which one around another has not
        order = torch.randperm(self.size * num_clients, generator=source, device=round.device)
        return resampling(num_clients, size=self.size, order=order)
