"""Several attacks at once."""

from functools import partial

import pytest
import torch
from tiny import Recorder, parameters_of
from tiny import fit as tiny_fit

from callbacks import (
    A3FL,
    ALIE,
    DBA,
    ROP,
    AdaptiveAttack,
    AttackGroups,
    ByzMean,
    EdgeCase,
    FedAvg,
    FLTrust,
    KrumAttack,
    LabelFlipping,
    Median,
    ModelReplacement,
    Neurotoxin,
    NoAttack,
    ScalingAttack,
    SignFlip,
    TrimAttack,
)
from flt.data import FeatureTrigger
from flt.errors import InputError
from flt.federation import Attack, Backdoor
from flt.functional import alie, alie_shift, byz_mean, krum_attack, rop, trim_attack
from flt.random import generator


def groups_of(server, number):
    """Which clients attack in a round, by group."""
    return [group.attackers(number) for group in server.federation.groups]


@pytest.mark.parametrize(
    "make",
    [
        partial(TrimAttack, 0.3, knowledge="partial", ramp=2),
        partial(ScalingAttack, 0.3, redraw=True),
        partial(AdaptiveAttack, 0.3, sweeps=1, steps=2),
        partial(LabelFlipping, 0.3, every=2),
    ],
    ids=lambda make: make.func.__name__,
)
def test_one_group_is_the_attack_alone(fit, make):
    alone = fit(FLTrust(), make(), clients_per_round=8)
    group = fit(FLTrust(), AttackGroups([make()]), clients_per_round=8)
    assert torch.equal(parameters_of(group), parameters_of(alone))


def test_each_attack_sees_the_benign_clients_and_its_own_group(fit):
    recorder = Recorder()
    members = [TrimAttack(0.3, every=2), KrumAttack(0.2), TrimAttack(0.2, knowledge="partial")]
    server = fit(recorder, AttackGroups(members), FedAvg(), rounds=2)
    assert (server.federation.num_malicious, server.federation.num_byzantine) == (7, 7)
    for honest, received in zip(recorder.honest, recorder.received, strict=True):
        groups = groups_of(server, honest.number)
        assert torch.equal(honest.malicious, torch.stack(groups).sum(dim=0) == 1)
        assert [int(group.sum()) for group in groups] == [(3, 0)[honest.number], 2, 2]
        assert torch.equal(received.updates[~honest.malicious], honest.updates[~honest.malicious])
        for number, (group, attack, settings) in enumerate(
            zip(groups, (trim_attack, krum_attack, trim_attack), ({}, {}, {"knowledge": "partial"}), strict=True)
        ):
            shown = group | ~honest.malicious
            seed = number and int(torch.randint(2**62, (), generator=generator(0, "attack group", number)))
            stream = f"callback/{'krum' if attack is krum_attack else 'trim'} attack"
            sent = attack(
                honest.updates[shown],
                group[shown],
                generator=generator(seed, stream, honest.number),
                **settings,
            )
            assert torch.equal(received.updates[shown & group], sent[group[shown]])


def of_the_whole_round(updates, examples, own, benign):
    """What the first group sends of ten clients, by the attack."""
    shown, last = own | benign, torch.zeros(updates.shape[1])
    z = alie_shift(10, 4)
    return {
        "DBA": lambda: 5 * updates[own],
        "ModelReplacement": lambda: 5 * updates[own],
        "by examples": lambda: examples.sum() / (2 * examples[own])[:, None] * updates[own],
        "ALIE": lambda: alie(updates[shown], own[shown], z=z)[own[shown]],
        "ROP": lambda: rop(updates[shown], own[shown], last, z=z)[own[shown]],
        "ByzMean": lambda: byz_mean(updates[shown], own[shown], num_clients=10)[own[shown]],
    }


@pytest.mark.parametrize(
    ("case", "make"),
    [
        ("DBA", partial(DBA, fraction=0.2, num_parts=2)),
        ("ModelReplacement", partial(ModelReplacement, fraction=0.2)),
        ("by examples", partial(ModelReplacement, fraction=0.2, by_examples=True)),
        ("ALIE", partial(ALIE, fraction=0.4, z="formula")),
        ("ROP", partial(ROP, fraction=0.4)),
        ("ByzMean", partial(ByzMean, fraction=0.2)),
    ],
)
def test_an_attack_counts_the_clients_of_the_whole_round(fit, case, make):
    recorder = Recorder()
    server = fit(recorder, AttackGroups([make(), SignFlip(fraction=0.4)]), FedAvg(), rounds=1)
    (honest,), (received,), own = recorder.honest, recorder.received, groups_of(server, 0)[0]
    expected = of_the_whole_round(honest.updates, honest.num_examples, own, ~honest.malicious)[case]()
    torch.testing.assert_close(received.updates[own], expected)


class Counting(Attack):
    """Sends the number of rounds that it remembers, and asks the rule what comes of it."""

    def __init__(self, fraction, factor):
        super().__init__(fraction)
        self.factor = factor
        self.asked = []

    def craft(self, round):
        count = round.memory.get("count", 0) + self.factor
        sent = round.updates.masked_fill(round.malicious[:, None], count)
        self.asked.append((sent, round.rule(sent)))
        with pytest.raises(InputError, match=r"round\.rule was given a float32 tensor of shape \[1, .*\]"):
            round.rule(sent[:1])
        return round.replace(updates=sent, memory={"count": count})


def test_memories_are_apart_and_the_rule_is_asked_with_honest_updates_of_others(fit):
    recorder, members = Recorder(), [Counting(0.2, 1), Counting(0.3, 10)]
    server = fit(recorder, AttackGroups(members), Median())
    for honest, (received, _) in zip(recorder.honest, recorder.ended, strict=True):
        groups = groups_of(server, honest.number)
        for group, member in zip(groups, members, strict=True):
            count = (honest.number + 1) * member.factor
            assert (received.updates[group] == count).all()
            sent, answer = member.asked[honest.number]
            assert len(sent) == 10 - 5 + int(group.sum())
            whole = honest.updates.masked_fill(group[:, None], count)
            assert torch.equal(answer, Median().aggregate(honest.replace(updates=whole)).update)


class Longer(Attack):
    """Steps so many times as far, once it has counted the rounds, and learns a trigger if it is asked to."""

    def __init__(self, fraction, factor, learns=False):
        super().__init__(fraction)
        self.factor, self.learns = factor, learns
        self.drawn = []

    def prepare(self, local):
        self.drawn.append(int(torch.randint(2**30, (), generator=local.generator("longer"))))
        return {"count": local.memory.get("count", 0) + self.factor}

    def train(self, local):
        assert torch.equal(local.client_ids, local.federation.malicious.nonzero().flatten())
        assert local.memory["count"] == self.factor * (local.number + 1)
        return local.sgd(local.batches, lr=self.factor * local.client_lr)

    def current_backdoor(self, default, memory):
        return Backdoor(FeatureTrigger([0], value=float(memory.get("count", 0))), 1) if self.learns else None


def test_each_group_trains_in_its_own_way(fit):
    recorder, plain = Recorder(), Recorder()
    members = [Longer(0.2, 3.0), TrimAttack(0.1), Longer(0.3, 2.0, learns=True)]
    server = fit(recorder, AttackGroups(members), FedAvg(), rounds=2)
    fit(plain, NoAttack(), FedAvg(), rounds=1)
    factors = 1 + sum(
        (each.factor - 1) * group for each, group in zip(members[::2], groups_of(server, 0)[::2], strict=True)
    )
    torch.testing.assert_close(recorder.honest[0].updates, factors[:, None] * plain.honest[0].updates)
    assert len({*members[0].drawn, *members[2].drawn}) == 4
    assert server.backdoor.trigger.value == 4.0
    (kept,) = server._reception.memories.state().values()
    assert kept == {"0": {"count": 6.0}, "2": {"count": 4.0}}


class Short(Longer):
    def train(self, local):
        return super().train(local)._replace(losses=torch.zeros(1))


def test_each_group_trains_on_data_of_its_own(tmp_path):
    """Also where a client is in another group in another round."""
    always = {"rounds": 1, "clients_per_round": 9}
    makes = [partial(LabelFlipping, 0.2, redraw=True), partial(ScalingAttack, 0.3, redraw=True)]
    makes += [partial(ScalingAttack, 0.1, poison_fraction=0.5), partial(LabelFlipping, 0.1, every=2)]
    own = tiny_fit(tmp_path, FedAvg(), AttackGroups([make() for make in makes]), **always)._reception.cohort
    honest = own.federation.honest
    counts = torch.zeros(5, dtype=torch.long)
    for number in range(8):
        groups = [group.attackers(number) for group in own.federation.groups]
        drawn = own.draws(number)
        for place, client in enumerate(drawn.client_ids.tolist()):
            kind = next((number for number, group in enumerate(groups) if group[client]), 4)
            counts[kind] += 1
            held = drawn.sources[0 if drawn.source is None else int(drawn.source[place])].of(client)
            before = honest.of(client)
            assert torch.equal(held.features[: len(before)], before.features)
            flips = kind in (0, 3)
            assert torch.equal(held.labels[: len(before)], 2 - before.labels if flips else before.labels)
            copies = {1: len(before), 2: round(len(before) / 2)}.get(kind, 0)
            assert len(held) == len(before) + copies
            assert (held.features[len(before) :, [0, 5]] == 3.0).all()
    assert (counts > 0).all()


def test_hooks_of_lightning_reach_each_of_them(fit):
    class Noting(TrimAttack):
        def setup(self, trainer, pl_module, stage):
            self.stage = stage

    members = [Noting(0.1), Noting(0.1)]
    fit(FedAvg(), AttackGroups([AttackGroups(members[:1]), members[1]]), rounds=1)
    assert [member.stage for member in members] == ["fit", "fit"]


def test_a_backdoor_is_measured(fit):
    server = fit(FedAvg(), AttackGroups([TrimAttack(0.1), ScalingAttack(0.1), ScalingAttack(0.1)]), rounds=2)
    assert server.backdoor.target_class == 1
    assert "attack_success_rate" in server.trainer.callback_metrics


OTHER = FeatureTrigger([1], value=2.0)
SAME = {
    "parts": lambda: [DBA(fraction=0.2, num_parts=2), DBA(fraction=0.2, num_parts=2, start_round=1)],
    "parts and the whole": lambda: [ScalingAttack(0.2), DBA(fraction=0.2, num_parts=2)],
    "edge cases": lambda: [EdgeCase(fraction=0.2), EdgeCase(fraction=0.2)],
    "equal triggers": lambda: [
        ScalingAttack(0.2, trigger=OTHER),
        Neurotoxin(fraction=0.2, trigger=FeatureTrigger([1], value=2.0)),
    ],
}


@pytest.mark.parametrize("case", SAME)
def test_backdoors_that_are_measured_alike_go_together(fit, case):
    server = fit(FedAvg(), AttackGroups(SAME[case]()), rounds=2)
    assert "attack_success_rate" in server.trainer.callback_metrics


MISTAKES = {
    "none": (lambda: AttackGroups([]), r"attack\.attacks=\[\]: give a list of one attack or more"),
    "no attacks": (lambda: AttackGroups([Median()]), r"attack\.attacks=\[<.*Median.*>\]: give a list"),
    "too many": (
        lambda: AttackGroups([TrimAttack(0.6), KrumAttack(0.5)]),
        r"attack\.attacks: their fractions 0\.6 \+ 0\.5 add up to 1 or more",
    ),
    "all": (lambda: AttackGroups([TrimAttack(0.55), KrumAttack(0.44)]), r"attack\.fraction=0\.99 leaves none of 10"),
    "two backdoors": (
        lambda: AttackGroups([ScalingAttack(0.1), TrimAttack(0.1), ScalingAttack(0.1, trigger=OTHER)]),
        "ScalingAttack and ScalingAttack have different backdoors",
    ),
    "a backdoor beside one that is learnt": (
        lambda: AttackGroups([ScalingAttack(0.1), A3FL(fraction=0.1)]),
        "ScalingAttack and A3FL have backdoors, .* but A3FL learns a trigger that is no other's",
    ),
    "fewer losses than clients": (
        lambda: AttackGroups([TrimAttack(0.1), Short(0.2, 2.0)]),
        r"Short\.train returned a float32 tensor of shape \[1\] as losses in round 0",
    ),
    "beyond the run": (
        lambda: AttackGroups([TrimAttack(0.1), KrumAttack(0.1, start_round=3)]),
        r"attack\.start_round=3 is not one of the 3 rounds.*: KrumAttack would never",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes(fit, case):
    make, message = MISTAKES[case]
    with pytest.raises(InputError, match=message):
        fit(FedAvg(), make())


def test_a_group_of_nobody_is_told(fit):
    with pytest.warns(UserWarning, match=r"attack\.fraction=0\.01 makes none of 10 clients malicious: KrumAttack"):
        fit(FedAvg(), AttackGroups([TrimAttack(0.1), KrumAttack(0.01)]), rounds=1)
