"""What the table of rules does not hold of rules that measure updates by the server's data."""

import hostile
import numpy as np
import pytest
import reference
import torch
from tiny import Recorder, TinyData
from torch.testing import assert_close

from callbacks import HierarchicalFLTrust, Krum, Sageflow, ZenoPlusPlus
from flt.errors import InputError
from flt.federation import FederatedCallback


class Asking(FederatedCallback):
    """Notes what the server finds on each group's part of the root dataset."""

    needs_root_data = True

    def __init__(self):
        self.roots, self.sizes = [], []

    def on_updates_received(self, round):
        parts = round.require_server().root_parts(3)
        self.sizes.append(parts.sizes.tolist())
        self.roots.append(round.server.train(parts).updates.double().numpy())


@pytest.mark.parametrize("clients_per_round", [None, 3])
def test_groups_of_clients(fit, clients_per_round):
    """Each has a root dataset of its own; those without a client in the round are left out."""
    rule, asking, recorder = HierarchicalFLTrust(num_groups=3), Asking(), Recorder()
    fit(rule, asking, recorder, rounds=4, clients_per_round=clients_per_round)
    assert asking.sizes == [[5, 5, 5]] * 4
    groups = [rule._groups_of(round).tolist() for round, _ in recorder.ended]
    assert clients_per_round or sorted(map(groups[0].count, range(3))) == [3, 3, 4]
    assert clients_per_round is None or any(len(set(each)) < 3 for each in groups)
    for (round, aggregate), own, roots in zip(recorder.ended, groups, asking.roots, strict=True):
        updates = round.updates.double().numpy()
        results = [reference.fltrust(updates[np.array(own) == each], roots[each]) for each in sorted(set(own))]
        assert_close(aggregate.update.double(), torch.tensor(np.mean(results, axis=0)), rtol=1e-4, atol=1e-6)
        scores = [
            reference.trust_scores(update[None], roots[each])[0] for update, each in zip(updates, own, strict=True)
        ]
        assert_close(aggregate.judgement.trust_scores.double(), torch.tensor(scores).double(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("num_groups", "size", "message"),
    [(11, 15, "num_groups=11 exceeds the 10 clients"), (8, 7, "num_groups=8 exceeds the 7 examples")],
)
def test_more_groups_than_there_can_be(fit, num_groups, size, message):
    with pytest.raises(InputError, match=message):
        fit(HierarchicalFLTrust(num_groups=num_groups), data=TinyData(root_size=size))


def test_a_rule_over_too_few_groups(fit):
    with pytest.raises(InputError, match=r"aggregation\.rule\.num_byzantine=1 does not fit Krum of 3 updates"):
        fit(HierarchicalFLTrust(Krum(num_byzantine=1), num_groups=3))


def test_doubtful_clients_are_dropped(fit):
    recorder = Recorder()
    fit(Sageflow(max_entropy=0.9, exponent=2.0), recorder, rounds=3)
    kept = [aggregate.judgement.takes_part for _, aggregate in recorder.ended]
    for (_, aggregate), each in zip(recorder.ended, kept, strict=True):
        assert torch.equal(each, aggregate.judgement.scores < 0.9)
    assert len({int(each.sum()) for each in kept} - {0, 10}) > 0


class HalfFinite(hostile.Near):
    """Its first set gives a root update that overflows along the first coordinate."""

    def train(self, sets, indices=None, *, stand_for=None):
        found = super().train(sets, indices, stand_for=stand_for)
        updates = found.updates.clone()
        updates[0, 0] = torch.inf
        return found._replace(updates=updates)


def test_half_of_a_root_update_vouches_for_nobody():
    federation = hostile.federation_of(num_examples=torch.ones(4), malicious=torch.zeros(4, dtype=torch.bool))
    root = torch.tensor([1.0, 1.0])
    round = hostile.round_of(federation, root.repeat(4, 1), root).replace(server=HalfFinite(root))
    rule = HierarchicalFLTrust(num_groups=2)
    aggregate = rule.aggregate(round)
    assert_close(aggregate.update, root / 2)
    assert torch.equal(aggregate.judgement.trust_scores > 0, rule._groups_of(round) == 1)


def test_an_earlier_root_update_does_where_this_round_s_is_not_finite():
    federation = hostile.federation_of(num_examples=torch.ones(4), malicious=torch.zeros(4, dtype=torch.bool))
    rule, root = ZenoPlusPlus(), torch.tensor([1.0, 2.0])
    first = hostile.round_of(federation, root.repeat(4, 1), root)
    missing = first.replace(number=1, root_update=root * torch.nan)
    assert rule.finish(None, missing) is None
    kept = rule.finish(None, first).memory
    for number in (1, rule.refresh_every):
        assert_close(rule.finish(None, missing.replace(number=number, memory=kept)).update, root)
