"""Base class of what mixes the updates before a rule sees them."""

from abc import abstractmethod
from dataclasses import fields, replace

import torch
from torch import Tensor

from flt.errors import InputError
from flt.federation.aggregation import Aggregation
from flt.federation.judgement import Judgement
from flt.federation.round import Aggregate, Federation, Round


class PreAggregation(Aggregation):
    """A rule around a rule: it gives the inner rule linear mixtures of the clients' updates, a row each.

    Rows may be fewer than clients. The inner rule's conditions are held against the rows that it gets, and what it says
    of a row is carried back to the clients in it. Pre-aggregations can be nested.

    Args:
        rule: The inner rule.
    """

    def __init__(self, rule: Aggregation) -> None:
        if not isinstance(rule, Aggregation):
            raise InputError(f"aggregation.rule={rule!r} is no aggregation rule: name one, such as Median")
        self.rule = rule
        self.needs_root_update = rule.needs_root_update

    @abstractmethod
    def mix(self, round: Round) -> Tensor:
        """The mixing matrix, shape ``[num_rows, num_clients]``: row r is ``sum_c mix[r, c] * update_c``."""

    def num_rows(self, num_clients: int) -> int:
        """Rows that the mixing matrix has for so many clients; as many as there are clients, unless overridden."""
        return num_clients

    @property
    def label(self) -> str:
        """Both names, the inner rule's in brackets."""
        return f"{type(self).__name__}({self.rule.label})"

    def describe(self, federation: Federation) -> str:
        """The pre-aggregation and the rule with the settings that it takes from the federation."""
        return f"{type(self).__name__}({self.rule.describe(self._inside(federation))})"

    def check(self, federation: Federation) -> None:
        """Checks the inner rule against the rows that it will see."""
        self.rule.check(self._inside(federation))

    def aggregate(self, round: Round) -> Aggregate:
        """Applies the inner rule to the mixtures."""
        mixing = self.mix(round).to(round.updates)
        inside = self._mixed(round, mixing)
        found = self.rule.finish(self.rule.fold(inside), inside)
        assert found is not None, "there is at least one row"
        memory = None if found.memory is None else {"rule": found.memory}
        return replace(found, judgement=carried_back(found.judgement, mixing), memory=memory)

    def _inside(self, federation: Federation) -> Federation:
        return federation.replace(num_rows=self.num_rows(federation.rows_per_round))

    def _mixed(self, round: Round, mixing: Tensor) -> Round:
        """The round that the inner rule sees: each row stands for the clients that are mixed in it."""
        exact, device = mixing.double(), round.num_examples.device
        takes_part = (exact > 0).to(device)
        return round.replace(
            client_ids=round.client_ids[takes_part.int().argmax(dim=1)],
            malicious=(takes_part & round.malicious.to(device)).any(dim=1),
            num_examples=exact.to(device) @ round.num_examples.double(),
            updates=mixing @ round.updates,
            losses=(exact @ round.losses.double()).to(round.losses),
            statistics=mixing @ round.statistics,
            federation=self._inside(round.federation),
            memory=round.memory.get("rule", {}),
        )


def carried_back(judgement: Judgement, mixing: Tensor) -> Judgement:
    """What a rule says of rows, as said of the clients that are mixed in them.

    A row's weight is divided among its clients as they are mixed in it. Of what is no share, such as a cosine, a client
    gets the mean over its rows.

    Args:
        judgement: Of each row.
        mixing: Shape ``[num_rows, num_clients]``, entries 0 or more.

    Example:
        >>> mixing = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
        >>> carried_back(Judgement(weights=torch.tensor([1.0, 0.0])), mixing).weights
        tensor([0.5000, 0.5000, 0.0000], dtype=torch.float64)
    """
    exact = mixing.double()
    per_client = exact / exact.sum(dim=0).clamp(min=torch.finfo(torch.float64).tiny)
    back = {"weights": exact}
    said = {each.name: getattr(judgement, each.name) for each in fields(judgement)}
    return Judgement(
        **{
            name: (value.to(exact) @ back.get(name, per_client)).to(torch.float64 if name == "weights" else value)
            for name, value in said.items()
            if value is not None
        }
    )
