"""Rules and attacks on whatever clients may send, through all that lies between the clients and the global model.

200 examples each; ``pytest --hypothesis-profile=long tests/functional/test_fuzz.py`` makes it 10,000.
"""

import hostile
import numpy as np
import reference
import torch
from hostile import HARMLESS, HUGE, TINY, cases, receive
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks import ScalingAttack
from flt.errors import InputError

thoroughly = max(settings.get_profile("short"), settings(), key=lambda profile: profile.max_examples)
ROOTS = (*["normal"] * 5, "zero", "1e-30", "subnormal", "one nan", "inf")
SMALLEST = 1e-42  # below which a product of float32 has no digits
ROUNDING = 1e-6  # of the largest number in a sum of up to a dozen in float32: some ten units in the last place


def fitting(rule, case):
    """The case with so many malicious clients to expect that the rule can tolerate them; None if there are none."""
    federation = case.round.federation
    with hostile.without_advice():
        for num_expected in range(federation.num_expected, -1, -1):
            fewer = federation.replace(num_expected=num_expected)
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
        return rule.label.endswith("erver") and root_is_finite and bool(case.round.root_update.any())
    return root_is_finite or not rule.needs_root_update


@given(case=cases(roots=ROOTS))
@thoroughly
def test_rules(rule, case):
    made = rule.make()
    case = fitting(made, case)
    if case is None:  # Krum of one or two clients
        return
    round, aggregate = receive(case, made)
    assert round.client_ids.tolist() == case.finite.nonzero()[0].tolist()
    assert round.num_dropped == len(case.round) - len(round)
    if aggregate is None and may_leave_float32(rule, case):
        return  # a mean with negative weights may lie beyond what it is a mean of, and beyond float32
    assert (aggregate is not None) == is_usable(made, case)
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
        agrees(rule, case, round, kept, update)


def agrees(rule, case, round, kept, update):
    """Checks an aggregate against the reference in float64, as closely as rounding in float32 allows."""
    rows, root = kept.double().numpy(), case.round.root_update.double().numpy()
    found, sizes = update.double().numpy(), round.num_examples.numpy()
    with hostile.without_advice():
        byzantine = getattr(rule.make(), "byzantine", None)
        num_expected = byzantine.of(round) if byzantine else 0
    if rule.compare == "selection":
        is_among_the_closest(found, rows, num_expected)
    elif rule.name.startswith("FLTrust"):
        is_what_fltrust_says(rule, found, rows, root)
    elif rule.compare == "bounded":
        slack = ROUNDING * np.abs(rows).max(axis=0) + SMALLEST
        assert (rows.min(axis=0) - slack <= found).all()
        assert (found <= rows.max(axis=0) + slack).all()
    elif sizes.any() or rule.name in ("TrimmedMean", "Median"):
        expected = rule.reference(rows, root, sizes, num_expected)
        largest = largest_summand(rule.name, rows, num_expected)
        assert (np.abs(found - expected) <= ROUNDING * largest + SMALLEST).all(), (found, expected)
    else:
        assert not found.any()


def largest_summand(name, rows, num_expected):
    """The largest number in the mean that a rule takes, for each coordinate or for all."""
    if name == "NormBoundedMean":
        return 0.5
    trim = {"TrimmedMean": num_expected, "Median": (len(rows) - 1) // 2}.get(name, 0)
    return np.abs(np.sort(rows, axis=0)[trim : len(rows) - trim]).max(axis=0)


def may_leave_float32(rule, case):
    """Whether a mean with negative weights, which has no bound, can be too large of statistics."""
    return rule.name == "FLTrust-NoReLU" and bool((case.round.statistics.abs() > 1).any())


def is_among_the_closest(found, rows, num_byzantine):
    """Whether Krum has picked an update whose score is the least, but for rounding in float64."""
    (same,) = (rows == found).all(axis=1).nonzero()
    assert len(same)
    if len(rows) >= 3:
        scores = reference.krum_scores(rows, num_byzantine)
        # Distances are taken from inner products of what is left of the updates without the shortest one.
        lengths = (rows**2).sum(axis=1)
        blur = 1e-14 * len(rows) * (lengths[same[0]] + lengths[scores.argmin()])
        assert scores[same[0]] <= scores.min() * (1 + 1e-9) + blur, scores


def is_what_fltrust_says(rule, found, rows, root):
    root_norm = np.linalg.norm(root)
    if root_norm < 1e-36:  # which is all rounding in float32
        return
    if rule.name in ("FLTrust", "FLTrust-ParNorm", "FLTrust-withServer"):
        assert np.linalg.norm(found) <= root_norm * (1 + ROUNDING)
    lengths = np.linalg.norm(rows, axis=1)
    if root_norm < 1e-10 and ((lengths > 0) & (lengths < 1e-36)).any():
        return
    rows = np.where(lengths[:, None] < 1e-36, 0.0, rows)  # as good as zero beside such a root update
    trust = reference.trust_scores(rows, root, score="signed" if rule.name == "FLTrust-NoReLU" else "relu")
    total = abs(trust.sum() + (rule.name == "FLTrust-withServer"))
    longest = lengths.max() if rule.name == "FLTrust-NoNorm" else root_norm
    if rule.name == "FLTrust-Server" or total > 1e-3:
        # Rounding of the trust scores counts as much as their total allows, and where negative ones all but cancel it,
        # as much more as the mean is longer than what it is a mean of.
        blown_up = min(total, 1.0) ** (2 if rule.name == "FLTrust-NoReLU" else 1)
        tolerance = 0.0 if rule.name == "FLTrust-Server" else ROUNDING * longest * len(rows) / blown_up
        expected = rule.reference(rows, root, None, 0)
        assert (np.abs(found - expected) <= tolerance).all(), (found, expected)


@given(case=cases(kinds=(*HARMLESS, *TINY, *HUGE), roots=("normal", "normal", "zero", "1e-30", "1e30", "largest")))
@thoroughly
def test_attacks_on_finite_updates(make_attack, case):
    """They send numbers, but for the infinities of a factor; and only for the malicious clients."""
    attack = make_attack()
    honest = case.round
    sent = attack.on_client_updates(honest)
    if sent is None:
        return
    assert torch.equal(sent.updates[~honest.malicious], honest.updates[~honest.malicious])
    assert not sent.updates.isnan().any()
    if not isinstance(attack, ScalingAttack):
        assert sent.updates.isfinite().all()


@given(case=cases(roots=ROOTS), number=st.integers(0, 100))
@thoroughly
def test_attacks_on_anything(listed, make_attack, case, number):
    """A round under attack is one that a rule takes like any other."""
    rule = listed[0][number % len(listed[0])]
    attack, made = make_attack(), rule.make()
    case = fitting(made, case)
    if case is None:
        return
    round, aggregate = receive(case, made, attack)
    benign = ~case.round.malicious & torch.tensor(case.finite)
    assert set(benign.nonzero().flatten().tolist()) <= set(round.client_ids.tolist())
    assert len(round) + round.num_dropped == len(case.round)
    if aggregate is None:
        no_root = made.needs_root_update and not case.round.root_update.isfinite().all()
        assert not benign.any() or no_root or may_leave_float32(rule, case)
    else:
        assert aggregate.update.isfinite().all()
