"""What each rule says of its clients."""

import dataclasses

import numpy as np
import pytest
import reference
import torch
from tiny import Recorder, Sending
from torch.testing import assert_close

from callbacks import FedAvg, FLTrust, LabelFlippingAttack, NoAttack
from flt.federation import FederatedCallback, Judgement, by_client
from flt.federation.round import BY_CLIENT
from flt.server import cohort


class Diverse(FederatedCallback):
    """Makes one client send the opposite and one ten times its update."""

    @by_client
    def on_client_updates(self, round):
        factors = torch.tensor([{2: -1.0, 5: 10.0}.get(client, 1.0) for client in round.client_ids.tolist()])
        return round.replace(updates=factors[:, None] * round.updates)


class Ending(FederatedCallback):
    """A `Recorder` of what a round ends with, which lets it come in parts."""

    def __init__(self):
        self.ended = []

    def on_round_end(self, trainer, round, aggregate):
        self.ended.append((round, aggregate))


def rounds_of(fit, rule, **settings):
    recorder = Recorder(needs_root_update=True)
    fit(rule, NoAttack(fraction=0.2), Diverse(), recorder, rounds=2, **settings)
    return recorder.ended


def arrays_of(round):
    return [tensor.double().numpy() for tensor in (round.updates, round.root_update, round.num_examples)]


@pytest.mark.parametrize("clients_per_round", [None, 7])
def test_the_weights(fit, rule, clients_per_round):
    for round, aggregate in rounds_of(fit, rule.make(), clients_per_round=clients_per_round):
        weights = aggregate.judgement.weights
        if rule.weights is None:
            assert weights is None
            continue
        expected = rule.weights(*arrays_of(round), 2 if clients_per_round is None else 1)
        assert_close(weights.double(), torch.tensor(expected).double(), rtol=1e-5, atol=1e-6)
        if not rule.keeps_root:
            assert float(weights.sum()) == pytest.approx(1)
        if rule.selects:
            assert torch.equal(weights.float() @ round.updates, aggregate.update)


def test_trust_scores_cosines_and_relative_lengths(fit, rule):
    for round, aggregate in rounds_of(fit, rule.make()):
        judgement = aggregate.judgement
        if rule.trust is None:
            assert judgement.cosines is judgement.norm_ratios is judgement.trust_scores is None
            continue
        updates, root, _ = arrays_of(round)
        ratios = np.linalg.norm(updates, axis=1) / np.linalg.norm(root)
        cosines = torch.tensor(reference.cosine_similarity(updates, root)).float()
        assert_close(judgement.cosines, cosines, rtol=1e-6, atol=1e-6)
        assert_close(judgement.norm_ratios.double(), torch.tensor(ratios), rtol=1e-5, atol=1e-6)
        assert_close(aggregate.trust_scores.double(), torch.tensor(rule.trust(updates, root)), rtol=1e-5, atol=1e-6)
        assert judgement.cosines.min() < 0 < judgement.cosines.max()
        assert judgement.norm_ratios.max() > 5 * judgement.norm_ratios.median()


def test_the_parts_of_a_round_say_the_same(fit, rule):
    """Folded part by part, one of them without clients, as a large round is."""
    made = rule.make()
    for round, aggregate in rounds_of(fit, made):
        if not made.takes_parts:
            return
        made_of = [
            round.replace(**{name: getattr(round, name)[rows] for name in BY_CLIENT})
            for rows in (slice(0, 3), slice(3, 4), slice(4, 10), slice(0, 0))
        ]
        first, second, third, nobody = (made.fold(part) for part in made_of)
        total = first.plus(nobody).plus(second).plus(third)
        parts = made.finish(total, round).judgement.vectors
        assert parts.keys() == aggregate.judgement.vectors.keys()
        for name, vector in aggregate.judgement.vectors.items():
            assert_close(parts[name], vector)


@pytest.mark.parametrize("make", [FedAvg, FLTrust])
def test_a_round_that_comes_in_parts(fit, make, monkeypatch):
    whole, parts = Ending(), Ending()
    fit(make(), Diverse(), whole)
    monkeypatch.setitem(cohort.PART, "cpu", 3 * 96)
    monkeypatch.setattr(cohort, "MIN_CLIENTS", 1)
    fit(make(), Diverse(), parts)
    for (seen, in_parts), (_, at_once) in zip(parts.ended, whole.ended, strict=True):
        assert seen.updates.shape == (10, 0)
        assert in_parts.judgement.vectors.keys() == at_once.judgement.vectors.keys() >= {"weights"}
        for name, vector in at_once.judgement.vectors.items():
            assert_close(in_parts.judgement.vectors[name], vector, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:updates with a NaN or an infinity were dropped:UserWarning")
@pytest.mark.parametrize("make", [FedAvg, FLTrust])
def test_dropped_clients_are_not_judged(fit, make):
    recorder = Recorder()
    fit(make(), LabelFlippingAttack(), Sending(float("nan"), clients=(0, 4)), recorder, rounds=1)
    round, aggregate = recorder.ended[0]
    assert len(round) == 8
    assert {len(vector) for vector in aggregate.judgement.vectors.values()} == {8}
    assert float(aggregate.judgement.weights.sum()) == pytest.approx(1)


def test_nobody_has_a_weight_where_nobody_is_trusted(fit):
    class Opposite(FederatedCallback):
        needs_root_update = True

        def on_client_updates(self, round):
            return round.replace(updates=-round.root_update.expand(len(round), -1).clone())

    recorder = Recorder()
    with pytest.warns(UserWarning, match="every trust score was 0"):
        fit(FLTrust(), Opposite(), recorder, rounds=1)
    assert recorder.ended[0][1].judgement.weights.tolist() == [0] * 10


def test_judgements_are_joined():
    nobody, one = Judgement(), Judgement(weights=torch.ones(1), cosines=torch.zeros(1))
    assert Judgement.joined([]).vectors == Judgement.joined([nobody, nobody]).vectors == {}
    assert Judgement.joined([nobody, one]) == one
    both = Judgement.joined([one, nobody, dataclasses.replace(one, weights=torch.full((1,), 3.0))])
    assert (both.weights.tolist(), both.cosines.tolist()) == ([1, 3], [0, 0])
    assert both.shared_out(both.weights.sum()).weights.tolist() == [0.25, 0.75]
    assert nobody.shared_out(torch.tensor(0.0)) is nobody
