"""Rules around rules: what the inner rule sees, what it is held against, and what is said of each client."""

import re
from functools import partial
from itertools import permutations

import hostile
import numpy as np
import pytest
import reference
import reference.bounding as bounding
import reference.selection as selection
import torch
from catalogue import EXAMPLE
from tiny import Recorder, parameters_of
from torch.testing import assert_close

from callbacks import (
    AFA,
    ARC,
    NNM,
    Bucketing,
    Clipping,
    DiverseFL,
    FedAvg,
    FLTrust,
    FoolsGold,
    FoundationFL,
    Krum,
    Median,
    MultiKrum,
    Rescaling,
    TrimmedMean,
)
from flt.errors import InputError
from flt.federation import Aggregate, Aggregation, ClientMemory, Judgement, PreAggregation, Round
from flt.federation.preaggregation import carried_back
from flt.functional import bucketing, resampling

pytestmark = pytest.mark.filterwarnings("ignore:model.num_byzantine=.* has no effect:UserWarning")  # not all rules ask


def received(fit, rule, **settings):
    """A round as the rule got it, and what it made of it."""
    recorder = Recorder(needs_root_update=True)
    fit(rule, recorder, rounds=1, num_byzantine=2, **settings)
    return recorder.ended[0]


def test_mixtures_worked_by_hand(fit):
    round, _ = received(fit, Median())
    round = round.keep(torch.arange(10) < 7).replace(updates=torch.tensor(EXAMPLE))
    mixed = NNM(num_byzantine=1).mix(round).float() @ round.updates
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


def test_resampled_rows_hold_everybody_as_often():
    round = hostile.round_of(
        hostile.federation_of(num_examples=torch.ones(10), malicious=torch.zeros(10)), torch.ones(10, 1), torch.ones(1)
    )
    drawn = [Bucketing(size=3, mode="resampling").mix(round.replace(number=number)) for number in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    for mixing in drawn:
        assert mixing.shape == (10, 10)
        assert_close(mixing.sum(dim=0), torch.ones(10))
        assert_close(mixing.sum(dim=1), torch.ones(10))
        assert ((mixing > 0).sum(dim=1) > 1).any()
    assert torch.equal(resampling(3, size=1, order=torch.tensor([2, 0, 1])), torch.eye(3)[[2, 0, 1]])
    nested = Bucketing(Bucketing(size=3, mode="resampling"), size=3, mode="resampling")
    assert not torch.equal(nested.mix(round), nested.rule.mix(round))


def test_the_rule_expects_a_malicious_row_for_each_time_that_a_client_is_drawn(fit):
    """Ten clients, two of them malicious, each drawn twice: up to four rows of ten."""
    rule = Bucketing(TrimmedMean(), mode="resampling")
    round, aggregate = received(fit, rule)
    mixed = rule.mix(round).double() @ round.updates.double()
    assert_close(
        aggregate.update.double(), torch.tensor(reference.trimmed_mean(mixed.numpy(), 4)), rtol=1e-5, atol=1e-6
    )
    assert rule.describe(round.federation) == "Bucketing(TrimmedMean, trim 4), size 2, resampling"


AROUND = {
    "NNM": (lambda rule: NNM(rule, 1), lambda rows, order: reference.nnm(rows, 1)),
    "ARC": (lambda rule: ARC(rule, 2), lambda rows, order: bounding.arc(rows, 2)),
    "Clipping": (lambda rule: Clipping(rule, 3.0), lambda rows, order: bounding.clipped(rows, 3.0)),
    "Rescaling": (Rescaling, lambda rows, order: bounding.rescaled(rows)),
    "Bucketing": (
        Bucketing,
        lambda rows, order: np.array([rows[order[k : k + 2]].mean(0) for k in range(0, len(rows), 2)]),
    ),
}


@pytest.mark.parametrize(
    "names",
    [
        *permutations(["NNM", "ARC", "Bucketing"]),
        *permutations(["ARC", "Clipping", "NNM"]),
        ["Rescaling", "NNM"],
        ["NNM", "Rescaling"],
    ],
)
def test_nested_in_any_order(names):
    """Each on its own rows written down in float64 is the same as all at once."""
    updates, root = reference.sample_updates(12, 9, seed=3)
    federation = hostile.federation_of(num_examples=torch.ones(12), malicious=torch.arange(12) < 1)
    round = hostile.round_of(federation, torch.tensor(updates), torch.tensor(root)).replace(
        statistics=torch.zeros(12, 0, dtype=torch.float64)
    )
    order = torch.randperm(12, generator=round.generator("bucketing of 12")).numpy()
    rule, rows = MultiKrum(num_byzantine=1), updates
    for name in reversed(names):
        rule = AROUND[name][0](rule)
    for name in names:
        rows = AROUND[name][1](rows, order)
    assert rule.label == "(".join([*names, "MultiKrum"]) + len(names) * ")"
    aggregate = rule.aggregate(round)
    assert_close(aggregate.update, torch.tensor(selection.multi_krum(rows, 1) @ rows), rtol=1e-10, atol=1e-10)
    assert_close(aggregate.judgement.weights.sum(), torch.tensor(1.0, dtype=torch.float64))


def test_the_inner_rule_is_held_against_the_rows_it_gets(fit):
    """Ten clients in buckets of two make five rows: Krum tolerates 2 among them, and Trim-mean does not trim 3."""
    received(fit, Bucketing(TrimmedMean(trim=2)))
    with pytest.raises(InputError, match=re.escape("aggregation.rule.trim=3 does not fit TrimmedMean of 5 updates")):
        received(fit, Bucketing(TrimmedMean(trim=3)))
    with pytest.raises(
        InputError, match=re.escape("aggregation.rule.rule.trim=2 does not fit TrimmedMean of 3 updates")
    ):
        received(fit, Bucketing(Bucketing(TrimmedMean(trim=2))))
    with pytest.raises(InputError, match=re.escape("aggregation.num_byzantine=5 does not fit NNM of 10 updates")):
        received(fit, NNM(Median(), num_byzantine=5))
    with pytest.raises(InputError, match=re.escape("aggregation.size=0 must be at least 1")):
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


class Counting(Aggregation):
    """The mean; remembers by client id how often each row's client was there."""

    def aggregate(self, round):
        counts = round.memory.get("counts", ClientMemory.empty(round.federation.num_clients, round.updates[:, :1]))
        counts = counts.updated(round.client_ids, counts.of(round.client_ids) + 1)
        return Aggregate(round.updates.mean(dim=0), memory={"counts": counts})


@pytest.mark.parametrize(("make", "num_rows"), [(NNM, 10), (Bucketing, 5), (lambda rule: NNM(Bucketing(rule)), 5)])
def test_rows_differ_in_their_client_ids(fit, make, num_rows):
    """Else an inner rule's memory of one client would be overwritten by that of another."""
    _, aggregate = received(fit, make(Counting()))
    memory = aggregate.memory
    while "rule" in memory:
        memory = memory["rule"]
    assert int(memory["counts"].is_known.sum()) == num_rows


@pytest.mark.parametrize("mode", ["buckets", "resampling"])
@pytest.mark.parametrize("make", [FoolsGold, AFA, partial(DiverseFL, min_ratio=0.9)])
def test_buckets_of_one_client_are_that_client(fit, make, mode):
    """Also to a rule that remembers clients, or that holds each against its own guide."""
    alone, inside = (parameters_of(fit(rule, rounds=3)) for rule in (make(), Bucketing(make(), size=1, mode=mode)))
    assert_close(inside, alone, rtol=1e-4, atol=1e-6)


def test_a_bucket_has_the_id_of_a_client_in_it(fit):
    round, _ = received(fit, Median(), clients_per_round=7)
    rule = Bucketing(Median(), size=2)
    mixing = rule.mix(round)
    inside = rule._mixed(round, mixing.double())
    assert all((mixing[row] > 0)[round.client_ids == owner] for row, owner in enumerate(inside.client_ids))


def test_copies_of_an_update_enter_its_client_s_history_once(fit):
    histories = []
    for rule in (FoolsGold(), FoundationFL(FoolsGold())):
        memory = received(fit, rule)[1].memory
        histories.append(memory.get("rule", memory)["history"].rows)
    assert torch.equal(*histories)


def test_a_mixed_row_keeps_the_client_of_its_number(fit):
    round, _ = received(fit, Median(), clients_per_round=6)
    rule = NNM(Median(), num_byzantine=2)
    inside = rule._mixed(round, rule.mix(round))
    assert torch.equal(inside.client_ids, round.client_ids)


def test_shares_of_clients_that_are_shortened_still_add_up():
    """A clipping is a diagonal mixing; a client's share is that of its update as it was rescaled."""
    shares = carried_back(Judgement(weights=torch.tensor([0.25, 0.75])), torch.tensor([[0.1, 0.0], [0.0, 1.0]])).weights
    assert_close(shares, torch.tensor([0.25, 0.75], dtype=torch.float64))


def test_a_bucketing_is_described_with_its_size(fit):
    round, _ = received(fit, Median())
    assert Bucketing(Median(), size=3).describe(round.federation) == "Bucketing(Median), size 3"


def test_buckets_of_buckets_have_an_order_of_their_own(fit, monkeypatch):
    draw, streams = Round.generator, []
    monkeypatch.setattr(Round, "generator", lambda self, stream: (streams.append(stream), draw(self, stream))[1])
    received(fit, Bucketing(Bucketing()))
    assert len(streams) == len(set(streams)) == 2


class Broken(PreAggregation):
    """Returns the mixing matrix that it was given."""

    def __init__(self, mixing):
        super().__init__(FedAvg())
        self.mixing = mixing

    def mix(self, round):
        return self.mixing


class Wrong(Aggregation):
    """Returns the update where an aggregate belongs."""

    def aggregate(self, round):
        return round.updates.mean(dim=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Broken(torch.ones(3, 10)), "Broken.mix returned a float32 tensor of shape [3, 10] in round 0"),
        (lambda: Broken([1.0]), "Broken.mix returned a list in round 0: return a tensor of shape [10, 10]"),
        (lambda: NNM(Wrong()), "Wrong.aggregate returned a float32 tensor of shape [83]: return Aggregate(update)"),
    ],
)
def test_what_is_returned_inside_is_checked(fit, make, message):
    with pytest.raises(InputError, match=re.escape(message)):
        received(fit, make())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Clipping(Median(), max_norm=2.0), ([True, False, False], [10, 20, 30], [1, 2, 6], [[1], [2], [6]])),
        (Bucketing(Median(), size=3), ([True], [20], [3], [[3]])),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_what_else_the_inner_rule_sees_is_a_mean_over_the_clients_of_a_row(monkeypatch, rule, expected):
    """However short their updates are made; a row with any malicious client in it is malicious."""
    malicious = torch.tensor([True, False, False])
    federation = hostile.federation_of(num_examples=torch.tensor([10, 20, 30]), malicious=malicious)
    losses = torch.tensor([1.0, 2.0, 6.0])
    round = hostile.round_of(federation, torch.full((3, 4), 5.0), torch.ones(4))
    seen = []
    monkeypatch.setattr(Median, "aggregate", lambda self, round: (seen.append(round), Aggregate(round.root_update))[1])
    rule.aggregate(round.replace(losses=losses, statistics=losses[:, None]))
    found = (seen[0].malicious, seen[0].num_examples, seen[0].losses, seen[0].statistics)
    for value, wanted in zip(found, expected, strict=True):
        assert_close(value.double(), torch.tensor(wanted, dtype=torch.float64))


def test_an_inner_rule_that_makes_nothing_of_a_round(fit):
    class Nothing(Aggregation):
        def aggregate(self, round):
            return None

    with pytest.warns(UserWarning, match="no usable aggregate"):
        _, aggregate = received(fit, NNM(Nothing()))
    assert not aggregate.update.any()


class Eager(Aggregation):
    """The mean, by a rule that uses every hook, notes what they are given, and counts in its memory."""

    def __init__(self):
        self.seen = []

    def on_federation(self, federation):
        self.seen.append(("on_federation", federation.rows_per_round))
        return federation.replace(num_examples=federation.num_examples + 1)

    def on_client_updates(self, round):
        self.seen.append(("on_client_updates", len(round)))

    def on_updates_received(self, round):
        self.seen.append(("on_updates_received", len(round)))
        return round.replace(updates=0.5 * round.updates, memory={"count": round.memory.get("count", 0) + 1})

    def aggregate(self, round):
        self.seen.append(("aggregate", round.memory["count"]))
        return Aggregate(round.updates.mean(dim=0))

    def on_round_end(self, trainer, round, aggregate):
        self.seen.append(("on_round_end", len(round)))

    def on_train_start(self, trainer, pl_module):
        self.seen.append(("on_train_start", trainer.max_steps))

    def state_dict(self):
        return {"seen": len(self.seen)}


@pytest.mark.parametrize(
    ("around", "rows"),
    [
        (lambda rule: rule, 10),
        (lambda rule: Bucketing(rule, size=2), 5),
        (lambda rule: NNM(Bucketing(rule, size=5)), 2),
    ],
    ids=["alone", "in buckets", "in buckets of mixtures"],
)
def test_an_inner_rule_s_hooks_are_called_as_if_it_stood_alone(fit, around, rows):
    rule, recorder = Eager(), Recorder()
    server = fit(around(rule), recorder, rounds=2, num_byzantine=2)
    rounds = [
        [("on_client_updates", 10), ("on_updates_received", rows), ("aggregate", count), ("on_round_end", 10)]
        for count in (1, 2)
    ]
    assert rule.seen == [("on_federation", rows), ("on_train_start", 2), *rounds[0], *rounds[1]]
    round, aggregate = recorder.ended[-1]
    assert (round.federation.num_byzantine, round.federation.num_rows) == (2, None)
    assert torch.equal(round.num_examples, server.data.clients.sizes.cpu() + 1)
    if rows != 2:  # a bucket of a bucket's mixtures is no bucket of clients
        assert_close(aggregate.update, 0.5 * recorder.received[-1].updates.mean(dim=0))
    assert sum(isinstance(callback, Eager) for callback in server.trainer.callbacks) == 1
    server.trainer.fit(server, datamodule=server.data)  # a second run takes the rule in once, too
    assert sum(isinstance(callback, Eager) for callback in server.trainer.callbacks) == 1


def test_a_hook_of_an_inner_rule_keeps_every_row(fit):
    class Dropping(Eager):
        def on_updates_received(self, round):
            return round.keep(torch.arange(len(round)) > 0)

    with pytest.raises(InputError, match=r"Dropping\.on_updates_received returned a round of 4 clients for one of 5"):
        fit(Bucketing(Dropping(), size=2), rounds=1)
