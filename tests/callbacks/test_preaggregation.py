"""Rules around rules: what the inner rule sees, what it is held against, and what is said of each client."""

import re

import pytest
import reference
import torch
from catalogue import EXAMPLE
from tiny import Recorder
from torch.testing import assert_close

from callbacks import NNM, Bucketing, FLTrust, Krum, Median, NoAttack, TrimmedMean
from flt.errors import InputError
from flt.functional import bucketing


def received(fit, rule, **settings):
    """A round as the rule got it, and what it made of it."""
    recorder = Recorder(needs_root_update=True)
    fit(rule, NoAttack(), recorder, rounds=1, **settings)
    return recorder.ended[0]


def test_mixtures_worked_by_hand(fit):
    round, _ = received(fit, Median())
    round = round.keep(torch.arange(10) < 7).replace(updates=torch.tensor(EXAMPLE))
    mixed = NNM(num_byzantine=1).mix(round) @ round.updates
    assert_close(mixed[:6], torch.tensor([[1.2, 7.3 / 6]]).expand(6, 2))
    assert_close(mixed[6], torch.tensor([2.7333333, -0.7833333]))
    assert_close(mixed.mean(dim=0), torch.tensor([1.419048, 0.930952]))
    assert_close(torch.tensor(reference.nnm(round.updates.double().numpy(), 1)).float(), mixed)


def test_buckets_worked_by_hand():
    buckets = bucketing(7, size=2, order=torch.arange(7)) @ torch.tensor(EXAMPLE)
    assert_close(buckets, torch.tensor([[1.55, 0.55], [1.4, 2.1], [0.65, 1.0], [10.0, -10.0]]))


def test_buckets_are_drawn_anew_and_hold_everybody_once(fit):
    round, _ = received(fit, Median())
    drawn = [Bucketing(size=3).mix(round.replace(number=number)) for number in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    for mixing in drawn:
        assert mixing.shape == (4, 10)
        assert ((mixing > 0).sum(dim=0) == 1).all()
        assert sorted((mixing > 0).sum(dim=1).tolist()) == [1, 3, 3, 3]
        assert_close(mixing.sum(dim=1), torch.ones(4))


def test_the_inner_rule_is_held_against_the_rows_it_gets(fit):
    """Ten clients in buckets of two make five rows: Krum tolerates 2 among them, and Trim-mean does not trim 3."""
    received(fit, Bucketing(TrimmedMean(trim=2)))
    with pytest.raises(InputError, match=re.escape("aggregation.trim=3 does not fit TrimmedMean of 5 updates")):
        received(fit, Bucketing(TrimmedMean(trim=3)))
    with pytest.raises(InputError, match=re.escape("aggregation.trim=2 does not fit TrimmedMean of 3 updates")):
        received(fit, Bucketing(Bucketing(TrimmedMean(trim=2))))
    with pytest.raises(InputError, match=re.escape("aggregation.num_byzantine=5 does not fit NNM of 10 updates")):
        received(fit, NNM(Median(), num_byzantine=5))
    with pytest.raises(InputError, match=re.escape("aggregation.size=0: a bucket holds 1 client or more")):
        Bucketing(size=0)
    with pytest.raises(InputError, match=re.escape("aggregation.rule=3 is no aggregation rule")):
        NNM(3)


@pytest.mark.parametrize("make", [lambda: Bucketing(Krum(0)), lambda: NNM(Krum(0)), lambda: NNM(Bucketing(Krum(0)))])
def test_a_row_s_weight_goes_back_to_its_clients(fit, make):
    """So that the aggregate is the mean of the clients' updates with these weights."""
    round, aggregate = received(fit, make())
    weights = aggregate.judgement.weights
    assert weights.shape == (10,)
    assert_close(weights.sum(), torch.tensor(1.0, dtype=torch.float64))
    assert_close((weights @ round.updates.double()).float(), aggregate.update)


def test_trust_scores_go_back_to_the_clients(fit):
    rule = Bucketing(FLTrust(), size=2)
    round, aggregate = received(fit, rule)
    mixing = rule.mix(round).double()
    scores = reference.trust_scores((mixing @ round.updates.double()).numpy(), round.root_update.double().numpy())
    assert_close(aggregate.trust_scores.double(), (mixing > 0).double().T @ torch.tensor(scores), rtol=1e-5, atol=1e-6)
