"""That nobody gets past the bounds, and that the exact attack attains them, for FLTrust in every shape."""

import math
from functools import partial

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from flt import functional as F
from flt.functional import BenignMean, TrustShape

FLTRUST, SIGNED = TrustShape(), TrustShape(score="signed")
SHAPES = {
    "FLTrust": FLTRUST,
    "withServer": TrustShape(include_root=True),
    "NoReLU": SIGNED,
    "equal": TrustShape(score="equal"),
    "NoNorm": TrustShape(magnitude="own"),
    "ParNorm": TrustShape(magnitude="at_most_root"),
    "least cosine": TrustShape(include_root=True, least_cosine=0.3),
}
NUM_STARTS, STEPS = 64, 60


def round_of(seed, shape):
    """A round, its first clients malicious; benign ones are trusted more than malicious ones can cancel."""
    draw = torch.Generator().manual_seed(seed)
    num_malicious, num_benign, num_params = (int(torch.randint(*range_, (), generator=draw)) for range_ in SIZES)
    num_benign += 3 * num_malicious * (shape.score == "signed")
    root = torch.randn(num_params, generator=draw, dtype=torch.float64)
    lean = 2.5 if shape.score == "signed" else float(torch.rand((), generator=draw))
    updates = torch.randn(num_malicious + num_benign, num_params, generator=draw, dtype=torch.float64) + lean * root
    return updates, torch.arange(len(updates)) < num_malicious, root, draw


SIZES = ((1, 6), (1, 7), (2, 7))


def aggregates(sent, benign, root, shape):
    """The rule written from its formula, of malicious updates ``[starts, malicious, params]``; in lengths of g_0."""
    rows = torch.cat([sent, benign.expand(len(sent), -1, -1)], dim=1) / root.norm()
    cosines, lengths = normalize(rows, dim=2) @ (root / root.norm()), rows.norm(dim=2)
    trust = cosines
    if shape.score == "equal":
        trust = torch.ones_like(cosines)
    if shape.score == "relu":
        trust = ((cosines - shape.least_cosine) / (1 - shape.least_cosine)).relu()
    if shape.magnitude != "own":
        longest = torch.ones_like(lengths) if shape.magnitude == "root" else lengths.clamp(min=1.0)
        rows = rows / (lengths if shape.magnitude == "root" else longest)[..., None]
    total = (trust[..., None] * rows).sum(dim=1) + shape.include_root * root / root.norm()
    return total / (trust.sum(dim=1) + shape.include_root).clamp(min=1e-12)[:, None]


def harms(aggregate, objective, before, mean, root, downhill):
    """What the attacker wants to be large."""
    if objective == "displacement":
        return (aggregate - mean).norm(dim=-1)
    wanted = {"sign": before.sign(), "progress": root, "descent": downhill}[objective]
    return -aggregate @ (wanted if objective == "sign" else wanted / wanted.norm())


@pytest.mark.parametrize("objective", ["sign", "progress", "displacement", "descent"])
@pytest.mark.parametrize("name", SHAPES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(settings.get_profile("short"), max_examples=6)
def test_no_search_beats_the_exact_attack_nor_the_bound_which_it_attains(name, objective, seed):
    shape = SHAPES[name]
    updates, malicious, root, draw = round_of(seed, shape)
    num_malicious, rule = int(malicious.sum()), partial(F.fltrust, root_update=root, **shape._asdict())
    benign = BenignMean.of(updates[~malicious], root, shape)
    assume(benign.trust > 0.05)  # nearer to nobody's trust, an attacker's cosine would be lost in float32
    harm = partial(
        harms,
        objective=objective,
        before=rule(updates) / root.norm(),
        mean=rule(updates[~malicious]) / root.norm(),
        downhill=updates[~malicious].mean(dim=0),
    )
    sent = F.exact_attack(updates, malicious, root, shape=shape, objective=objective)
    best = float(harm(rule(sent) / root.norm(), root=root))
    if objective == "progress":
        assert -best == pytest.approx(F.guaranteed_progress(benign, num_malicious), abs=1e-6)
    elif objective == "displacement" and shape.magnitude != "own":
        assert best == pytest.approx(F.displacement_bound(benign, num_malicious), abs=1e-6)
    found = searched(
        lambda rows: harm(aggregates(rows, updates[~malicious], root, shape), root=root), sent[malicious], root, draw
    )
    assert found <= best + 1e-6


def searched(harm, sent, root, draw):
    """The most harm of random updates up to the root update's length, and of those to which gradients lead them."""
    rows, lengths = (torch.randn(NUM_STARTS, len(sent), columns, generator=draw).double() for columns in (len(root), 1))
    leaves = [rows.requires_grad_(), (3.0 * lengths).requires_grad_()]
    optimizer, most = torch.optim.Adam(leaves, lr=0.1), -math.inf
    for _ in range(STEPS):
        values = harm(root.norm() * leaves[1].sigmoid() * normalize(leaves[0], dim=2))
        most = max(most, float(values.detach().max()))
        optimizer.zero_grad()
        (-values.sum()).backward()
        optimizer.step()
    return most


@pytest.mark.parametrize("num_benign", [1, 4])
@pytest.mark.parametrize("objective", ["displacement", "descent"])
def test_updates_in_float32_are_taken_as_those_in_float64(num_benign, objective):
    draw = torch.Generator().manual_seed(0)
    rows, root = torch.randn(num_benign + 2, 5, generator=draw) + 1.0, torch.ones(5)
    means = [BenignMean.of(rows[2:].to(dtype), root.to(dtype)).vector for dtype in (torch.float32, torch.float64)]
    torch.testing.assert_close(*means)
    malicious = torch.arange(len(rows)) < 2
    sent = [
        F.exact_attack(rows.to(dtype), malicious, root.to(dtype), objective=objective).double()
        for dtype in (torch.float32, torch.float64)
    ]
    torch.testing.assert_close(*sent, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("cosine", "num_malicious", "num_benign", "expected"),
    [(0.05, 1, 9, 13.1), (0.05, 5, 5, 18.1), (0.3, 4, 6, 1.7), (0.8, 2, 8, 0.2)],
)
def test_leverage_grows_with_small_cosines_more_than_with_numbers(cosine, num_malicious, num_benign, expected):
    """The published table's numbers; benign clients are alike, and their parts across cancel."""
    benign = BenignMean(FLTRUST, num_benign * cosine, cosine, 0.0)
    assert F.leverage(benign, num_malicious) == pytest.approx(expected, abs=0.05)
    ratio = num_malicious / num_benign
    kept = 2 * (math.sqrt(1 + ratio) - 1) / ratio
    assert F.guaranteed_progress(benign, num_malicious) == pytest.approx(cosine * kept)


def test_where_there_is_nothing_to_hold_or_nothing_holds():
    nobody = BenignMean(FLTRUST, 0.0, 0.0, 0.0)
    assert (F.guaranteed_progress(nobody, 3), F.leverage(nobody, 3)) == (0.0, math.inf)
    cancelled = BenignMean(SIGNED, 3.0, 0.9, 0.1)
    assert (F.guaranteed_progress(cancelled, 3), F.leverage(cancelled, 3)) == (-math.inf, math.inf)
    server = BenignMean.of(torch.ones(2, 3), torch.ones(3), TrustShape("none", include_root=True))
    assert (F.guaranteed_progress(server, 9), F.leverage(server, 9)) == (pytest.approx(1.0), 0.0)
    assert F.leverage(BenignMean(SHAPES["NoNorm"], 3.0, 0.9, 0.1), 1) == math.inf
