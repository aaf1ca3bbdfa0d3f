"""ERR, LFR and their union as callbacks."""

from abc import ABC, abstractmethod
from dataclasses import replace

import torch
from torch import Tensor

from callbacks.aggregation.fedavg import FedAvg
from callbacks.aggregation.root.measured import Measure
from flt.federation import Aggregate, Aggregation, Byzantine, Federation, Judgement, Round, RuleAround
from flt.functional.aggregation.coordinatewise import median
from flt.functional.aggregation.root.measures import error_rates, mean_losses
from flt.functional.aggregation.root.rejection import harms, least_harmful


class Rejection(RuleAround, ABC):
    """A rule without the updates that do its result the most harm on the root dataset.

    Args:
        rule: The rule; null is FedAvg.
        num_byzantine: Malicious clients to tolerate in a round (f); null is the number of malicious clients.
    """

    needs_root_data = True

    def __init__(self, rule: Aggregation | None = None, num_byzantine: int | None = None) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        self.byzantine = Byzantine.needing(num_byzantine, times=len(self.measures), plus=1)

    @property
    @abstractmethod
    def measures(self) -> tuple[Measure, ...]:
        """What harm is measured by; f updates are dropped by each."""

    def inside(self, federation: Federation) -> Federation:
        """The federation with the rows that are left at least."""
        dropped = len(self.measures) * self.byzantine.expected(federation)
        return federation.replace(num_rows=federation.rows_per_round - dropped)

    def describe(self, federation: Federation) -> str:
        """The number it tolerates, and the inner rule with its settings."""
        return f"{super().describe(federation)}, {self.byzantine.describe(federation)}"

    def check(self, federation: Federation) -> None:
        """Checks that somebody is left, and the inner rule against the rows that are."""
        self.byzantine.check(federation, self.label)
        super().check(federation)

    def apply(self, round: Round) -> Aggregate | None:
        """See `flt.functional.rejection`."""
        f = self.byzantine.of(round)
        everyone = torch.ones(len(round), dtype=torch.bool, device=round.device)
        kept, harm = everyone, None
        if f:
            places = torch.arange(len(round), device=round.device)
            found = torch.empty(len(round) + 1, len(self.measures), dtype=torch.float64, device=round.device)
            found[0] = self._measured(round)
            for i in range(len(round)):
                found[i + 1] = self._measured(round.keep(places != i, copy=False))
            for harm in map(harms, found.unbind(dim=1)):
                kept = kept & least_harmful(harm, num_byzantine=f)
        answer = self.ask(round.keep(kept, copy=False))
        return None if answer is None else replace(answer, judgement=_of_everyone(answer.judgement, kept, harm))

    def _measured(self, round: Round) -> Tensor:
        """Each measure of what the rule makes of a round, shape ``[num_measures]``; infinite where it makes nothing."""
        server, aggregate = round.require_server(), self.ask(round)
        if aggregate is None:
            return torch.full((len(self.measures),), torch.inf, dtype=torch.float64, device=round.device)
        statistics = median(round.statistics) if aggregate.statistics is None else aggregate.statistics
        logits = server.logits(aggregate.update, statistics)[None]
        return torch.cat([measure(logits, server.root.labels) for measure in self.measures])


class ERR(Rejection):
    """A rule without the updates that raise its result's error rate on the root dataset most.

    The score of a client is by how much; less is better.

    Args:
        rule: The rule; null is FedAvg.
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than there are; null is the number of
            malicious clients. As many updates are dropped.

    Raises:
        InputError: If everyone would be dropped, or too few are left for the rule; before the first round.

    Reading:
        Of clients that do as much harm, those of lower number are dropped.

    Reference:
        Fang, Cao, Jia and Gong, Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security
        2020.
    """

    measures = (error_rates,)


class LFR(Rejection):
    """A rule without the updates that raise its result's loss on the root dataset most.

    The score of a client is by how much; less is better.

    Args:
        rule: The rule; null is FedAvg.
        num_byzantine: Malicious clients to tolerate in a round (f), fewer than there are; null is the number of
            malicious clients. As many updates are dropped.

    Raises:
        InputError: If everyone would be dropped, or too few are left for the rule; before the first round.

    Reference:
        Fang, Cao, Jia and Gong, Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security
        2020.
    """

    measures = (mean_losses,)


class Union(Rejection):
    """A rule without the updates that ERR or LFR would drop.

    The score of a client is by how much it raises the loss on the root dataset; less is better.

    Args:
        rule: The rule; null is FedAvg.
        num_byzantine: Malicious clients to tolerate in a round (f); null is the number of malicious clients. Up to
            twice as many updates are dropped.

    Raises:
        InputError: If everyone might be dropped, or too few be left for the rule; before the first round.

    Reference:
        Fang, Cao, Jia and Gong, Local Model Poisoning Attacks to Byzantine-Robust Federated Learning, USENIX Security
        2020.
    """

    measures = (error_rates, mean_losses)


def _of_everyone(judgement: Judgement, kept: Tensor, harm: Tensor | None) -> Judgement:
    """What the rule says of those whom it was given, as said of all: the others have no weight."""
    weights = judgement.weights
    if weights is not None:
        weights = weights.new_zeros(len(kept)).masked_scatter_(kept, weights)
    takes_part = judgement.takes_part
    chosen = kept if takes_part is None else torch.zeros_like(kept).masked_scatter_(kept, takes_part)
    return Judgement(weights=weights, kept=chosen, scores=harm)
