"""Rules and attacks on whatever clients may send, through all that lies between the clients and the global model.

100 rounds, drawn once, as to draw them takes longer than to try them; each attack tries every other, by turns.
``pytest --hypothesis-profile=long tests/functional/test_fuzz.py`` makes it 10,000.
"""

import functools

import hostile
import torch
from catalogue import ATTACKS, RULES
from hostile import HARMLESS, HUGE, TINY, cases, receive
from hypothesis import given, settings

from flt.errors import InputError

short = settings(settings.get_profile("short"), max_examples=100)
thoroughly = max(short, settings(), key=lambda profile: profile.max_examples)
ROOTS = (*["normal"] * 5, "zero", "1e-30", "subnormal", "one nan", "inf")


def drawn(**kinds):
    """Makes a function that draws rounds at its first call."""

    @functools.cache
    def rounds():
        found = []

        @thoroughly
        @given(case=cases(**kinds))
        def note(case):
            found.append(case)

        note()
        return found

    return rounds


anything = drawn(roots=ROOTS)
finite = drawn(kinds=(*HARMLESS, *TINY, *HUGE), roots=("normal", "normal", "zero", "1e-30", "1e30", "largest"))


def share_of(rounds, attack):
    """Every other round: an attack gets those that its neighbours in the table do not get."""
    return rounds()[ATTACKS.index(attack) % 2 :: 2]


def fitting(rule, case):
    """The case with so many malicious clients to expect that the rule can tolerate them; None if there are none."""
    federation = case.round.federation
    with hostile.without_advice():
        for num_byzantine in range(federation.num_byzantine, -1, -1):
            fewer = federation.replace(num_byzantine=num_byzantine)
            try:
                rule.check(fewer)
            except InputError:
                continue
            return hostile.Case(case.round.replace(federation=fewer), case.clients_per_part)
    return None


def is_usable(rule, case):
    """Whether the model is to take a step."""
    root_is_finite = bool(case.round.root_update.isfinite().all())
    if not case.finite.any():
        return rule.keeps_root and root_is_finite and bool(case.round.root_update.any())
    return root_is_finite or not rule.make().needs_root_update


def test_rules(rule):
    for case in anything():
        check_rule(rule, case)


def check_rule(rule, case):
    made = rule.make()
    case = fitting(made, case)
    if case is None:  # Krum of one or two clients
        return
    round, aggregate = receive(case, made)
    assert round.client_ids.tolist() == case.finite.nonzero()[0].tolist()
    assert round.num_dropped == len(case.round) - len(round)
    if aggregate is None and may_leave_float32(rule, case):
        return  # a mean with negative weights may lie beyond what it is a mean of, and beyond float32
    assert (aggregate is not None) == is_usable(rule, case)
    if aggregate is None:
        return
    update, kept = aggregate.update, case.round.updates[case.finite]
    assert update.dtype == torch.float32
    assert update.shape == case.round.root_update.shape
    assert update.isfinite().all()
    assert aggregate.statistics is None or aggregate.statistics.isfinite().all()
    vectors = aggregate.judgement.vectors
    assert all(len(vector) == len(round) for vector in vectors.values())
    assert all(vectors[name].isfinite().all() for name in {"trust_scores", "weights", "cosines"} & vectors.keys())
    if len(round):
        num_byzantine = rule.tolerated(case.round.federation.num_byzantine, len(round))
        rows, root = kept.double().numpy(), case.round.root_update.double().numpy()
        rule.compare(rule, update.double().numpy(), rows, root, round.num_examples.numpy(), num_byzantine)


def may_leave_float32(rule, case):
    """Whether a mean with negative weights, which has no bound, can be too large of statistics."""
    return not rule.bounded and bool((case.round.statistics.abs() > 1).any())


def test_attacks_on_finite_updates(attack):
    """They send numbers, but for those meant to be none; only for the malicious clients; with a memory as well."""
    for case in share_of(finite, attack):
        check_finite(attack, case.round)


def check_finite(attack, honest):
    made = attack.make()
    sent = made.on_client_updates(honest)
    later = sent and made.on_client_updates(honest.replace(parameters=honest.updates[0], memory=sent.memory, number=1))
    for each in (sent, later):
        if each is not None:
            assert torch.equal(each.updates[~honest.malicious], honest.updates[~honest.malicious])
            assert each.updates.isfinite().all() or not attack.finite


def test_attacks_on_anything(attack):
    """A round under attack is one that a rule takes like any other."""
    start = ATTACKS.index(attack)
    for number, case in enumerate(share_of(anything, attack), start):
        check_attack(attack, case, RULES[number % len(RULES)])


def check_attack(attack, case, rule):
    made = rule.make()
    case = fitting(made, case)
    if case is None:
        return
    round, aggregate = receive(case, made, attack.make())
    benign = ~case.round.malicious & torch.tensor(case.finite)
    assert set(benign.nonzero().flatten().tolist()) <= set(round.client_ids.tolist())
    assert len(round) + round.num_dropped == len(case.round)
    if aggregate is None:
        no_root = made.needs_root_update and not case.round.root_update.isfinite().all()
        assert not benign.any() or no_root or may_leave_float32(rule, case)
    else:
        assert aggregate.update.isfinite().all()
