"""FLTrust in groups of clients as a callback."""

from dataclasses import replace

import torch
from torch import Tensor

from callbacks.aggregation.fedavg import FedAvg
from flt.errors import InputError, check_count
from flt.federation import Aggregate, Aggregation, Federation, Judgement, Round, RuleAround
from flt.functional import all_finite
from flt.functional.aggregation.fltrust import FLTrustSum
from flt.functional.aggregation.root.hierarchical import group_sum
from flt.functional.weighted_sum import WeightedSum
from flt.random import generator


class HierarchicalFLTrust(RuleAround):
    """FLTrust in each group of clients, with a root dataset of the group's own, then a rule over the groups.

    The server's root dataset is dealt out to the groups. Trust scores and cosines are those within the group.

    Args:
        rule: The rule over the groups' aggregates; null is their mean.
        num_groups: Groups, to which clients are dealt out at random, once a run.

    Raises:
        InputError: If there are more groups than clients of a round or examples of the root dataset, or too few for the
            rule; before the first round.

    Reading:
        Groups of which no client takes part in a round are left out of it. A group that trusts none of its clients, as
        one whose root update is not finite, counts with an aggregate of zero.

    Reference:
        Rassou and Gonzalez, FoggyTrust, 2026.
    """

    needs_root_data = True

    def __init__(self, rule: Aggregation | None = None, num_groups: int = 5) -> None:
        super().__init__(FedAvg() if rule is None else rule)
        check_count("aggregation.num_groups", num_groups)
        self.num_groups = num_groups

    @property
    def rows_are_clients(self) -> bool:
        """They are groups."""
        return False

    def inside(self, federation: Federation) -> Federation:
        """The groups in the clients' place."""
        return federation.replace(num_rows=self.num_groups)

    def check(self, federation: Federation) -> None:
        """Checks that each group has a client and an example, and the rule over the groups."""
        limits = {"clients of a round": federation.rows_per_round, "examples of the root dataset": federation.root_size}
        for name, limit in limits.items():
            if limit is not None and self.num_groups > limit:
                raise InputError(f"aggregation.num_groups={self.num_groups} exceeds the {limit} {name}: take fewer")
        super().check(federation)

    def apply(self, round: Round) -> Aggregate | None:
        """See `flt.functional.hierarchical_fltrust`."""
        server, groups = round.require_server(), self._groups_of(round)
        trained = server.train(server.root_parts(self.num_groups))
        present = sorted(set(groups.tolist()))
        masks = [groups == number for number in present]
        # Half of a root update, where the other half is not finite, would vouch for another direction.
        roots = [root if all_finite(root) else torch.zeros_like(root) for root in trained.updates[present]]
        members = (round.updates if bool(mask.all()) else round.updates[mask] for mask in masks)
        sums = [group_sum(updates, root) for updates, root in zip(members, roots, strict=True)]
        answer = self.ask(_of_groups(round, present, masks, sums))
        return None if answer is None else replace(answer, judgement=_of_clients(answer.judgement, masks, sums))

    def _groups_of(self, round: Round) -> Tensor:
        federation = round.federation
        order = torch.randperm(federation.num_clients, generator=generator(federation.seed, "callback/groups"))
        return order[round.client_ids.cpu()].remainder(self.num_groups).to(round.device)


def _of_groups(round: Round, present: list[int], masks: list[Tensor], sums: list[FLTrustSum]) -> Round:
    """The round that the rule over the groups sees."""
    ids = torch.tensor(present)
    return round.replace(
        client_ids=ids.to(round.client_ids),
        malicious=torch.stack([round.malicious[mask.to(round.malicious.device)].any() for mask in masks]),
        num_examples=torch.ones_like(ids).to(round.num_examples),
        updates=torch.stack([each.total.mean() for each in sums]),
        losses=torch.stack([round.losses[mask.to(round.losses.device)].mean() for mask in masks]),
        statistics=torch.stack(
            [
                WeightedSum.of(round.statistics[mask], each.weights).mean()
                for mask, each in zip(masks, sums, strict=True)
            ]
        ),
    )


def _of_clients(judgement: Judgement, masks: list[Tensor], sums: list[FLTrustSum]) -> Judgement:
    """What FLTrust and the rule over the groups say, as said of the clients."""
    vectors: dict[str, Tensor] = {}
    for number, (mask, each) in enumerate(zip(masks, sums, strict=True)):
        said = {
            "trust_scores": each.trust_scores,
            "cosines": each.cosines,
            "norm_ratios": each.lengths / each.root_norm,
        }
        if judgement.weights is not None:
            said["weights"] = each.weights / each.total.divisor * judgement.weights[number]
        for name, values in said.items():
            vectors.setdefault(name, values.new_zeros(len(mask)))[mask] = values
    return Judgement(**vectors)
