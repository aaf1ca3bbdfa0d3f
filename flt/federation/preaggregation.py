"""Base class of what mixes the updates before a rule sees them."""

from abc import abstractmethod
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from flt.errors import InputError
from flt.federation.around import RuleAround
from flt.federation.judgement import Judgement
from flt.federation.returned import described
from flt.federation.round import Aggregate, Federation, Round

TINY = torch.finfo(torch.float64).tiny


class PreAggregation(RuleAround):
    """A rule around a rule: it gives the inner rule linear mixtures of the clients' updates, a row each.

    Rows may be fewer than clients. The inner rule's conditions are held against the rows that it gets, and what it says
    of a row is carried back to the clients in it. Pre-aggregations can be nested.

    Args:
        rule: The inner rule.
    """

    @abstractmethod
    def mix(self, round: Round) -> Tensor:
        """The mixing matrix, shape ``[num_rows, num_clients]``: row r is ``sum_c mix[r, c] * update_c``."""

    def num_rows(self, num_clients: int) -> int:
        """Rows that the mixing matrix has for so many clients; as many as there are clients, unless overridden."""
        return num_clients

    def inside(self, federation: Federation) -> Federation:
        """The federation with as many rows as the inner rule will see."""
        return federation.replace(num_rows=self.num_rows(federation.rows_per_round))

    def apply(self, round: Round) -> Aggregate | None:
        """Applies the inner rule to the mixtures."""
        mixing = self._checked(self.mix(round), round)
        found = self.ask(self._mixed(round, mixing))
        return None if found is None else replace(found, judgement=carried_back(found.judgement, mixing))

    def _checked(self, mixing: Any, round: Round) -> Tensor:
        shape = (self.num_rows(len(round)), len(round))
        if not isinstance(mixing, Tensor) or mixing.shape != shape:
            raise InputError(
                f"{type(self).__name__}.mix returned {described(mixing)} in round {round.number}: return a tensor of"
                f" shape {list(shape)}, a row for each of num_rows and a column for each client"
            )
        return mixing.to(round.statistics.device, torch.float64)

    def _mixed(self, round: Round, mixing: Tensor) -> Round:
        """The round that the inner rule sees: each row stands for the clients that are mixed in it.

        A row has the id of the first client in it where these differ, as those of buckets do. Else rows keep the ids
        of the clients with their own numbers, of whose updates they are the mixtures, and further rows have the first
        client's: what the inner rule keeps by client id needs ids that differ, unless rows are copies.
        """
        # A row of clipped updates is as much of its clients as one of whole ones.
        shares, device = mixing / mixing.sum(dim=1, keepdim=True).clamp(min=TINY), round.num_examples.device
        takes_part = (mixing > 0).to(device)
        numbers, first = torch.arange(len(mixing), device=device), takes_part.int().argmax(dim=1)
        differ = len(set(first.tolist())) == len(first)
        owners = first if differ else torch.where(numbers < len(round), numbers, first)
        return round.replace(
            client_ids=round.client_ids[owners],
            malicious=(takes_part & round.malicious.to(device)).any(dim=1),
            num_examples=shares.to(device) @ round.num_examples.double(),
            updates=round.rows.mixed(mixing),
            losses=(shares @ round.losses.to(shares)).to(round.losses),  # on the CPU among several processes
            statistics=shares.to(round.statistics.dtype) @ round.statistics,
        )


def carried_back(judgement: Judgement, mixing: Tensor) -> Judgement:
    """What a rule says of rows, as said of the clients that are mixed in them.

    A row's weight is divided among its clients in the proportions in which they are mixed in it, so that shares still
    add up to what they did. Of what is no share, such as a cosine, a client gets the mean over its rows.

    Args:
        judgement: Of each row.
        mixing: Shape ``[num_rows, num_clients]``, entries 0 or more.

    Example:
        >>> mixing = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
        >>> carried_back(Judgement(weights=torch.tensor([1.0, 0.0])), mixing).weights
        tensor([0.5000, 0.5000, 0.0000], dtype=torch.float64)
    """
    exact = mixing.double()
    per_client = exact / exact.sum(dim=0).clamp(min=TINY)
    back = {"weights": exact / exact.sum(dim=1, keepdim=True).clamp(min=TINY)}
    said = {each.name: getattr(judgement, each.name) for each in fields(judgement)}
    return Judgement(
        **{
            name: (value.to(exact) @ back.get(name, per_client)).to(torch.float64 if name == "weights" else value)
            for name, value in said.items()
            if value is not None
        }
    )
