"""What attacks ask the rule: how often, of what, and what they make of the answers."""

import numpy as np
import pytest
import reference.tailored_attacks as tailored
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from flt import functional as F
from flt.errors import InputError
from flt.functional import Gram, LineSearch
from flt.functional.attacks.tailored.copies import Copies
from flt.functional.rows import OfRows

KINDS = ("two_sided", "byzfl")
MALICIOUS = torch.tensor([True, False, False, True, False, False, True])
quickly = settings(settings.get_profile("short"), max_examples=50)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(KINDS), evaluations=st.integers(1, 30))
@quickly
def test_line_search(seed, kind, evaluations):
    """As many questions as it may ask, in range, the best answer kept; and the path of the search it is named for."""
    draw, tried = np.random.default_rng(seed), []
    heights, points = draw.normal(size=9), np.cumsum(draw.uniform(0, 3, 9))
    chosen = {"evaluations": evaluations, "delta": draw.uniform(0.1, 4), "ratio": 0.7, "cap": draw.uniform(4, 40)}

    def height(x):
        return float(np.interp(x, points, heights))

    best, value = LineSearch(kind, **chosen).maximise(lambda x: tried.append(x) or height(x))
    assert len(tried) == evaluations
    assert 0 <= min(tried) <= max(tried) <= chosen["cap"]
    assert value == pytest.approx(max(map(height, tried)), rel=1e-4)
    assert (best, value) == pytest.approx(getattr(tailored, kind)(height, **chosen))


def test_only_the_two_sided_search_finds_what_lies_before_the_best_number_so_far():
    def peak(x):
        return -abs(x - 1.9)  # tried are 1 and then 3, which is a little worse; or 0 and 10

    assert LineSearch().maximise(peak)[0] == pytest.approx(1.9, abs=0.05)
    assert LineSearch("byzfl", start=3.0, delta=1.0).maximise(peak)[0] == 3.0
    assert LineSearch(start=3.0, delta=1.0).maximise(peak)[0] == pytest.approx(1.9, abs=0.05)


def test_without_a_largest_number_the_search_against_the_mean_of_all_never_ends():
    assert LineSearch("byzfl", cap=1e9).maximise(lambda x: x)[0] == 10 * (2**19 - 1)
    assert LineSearch("byzfl").maximise(lambda x: x)[0] == LineSearch().maximise(lambda x: x)[0] == 1e3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "random"}, "search='random': choose one of two_sided, byzfl"),
        ({"evaluations": 0}, "evaluations=0 must be at least 1"),
        ({"delta": 0.0}, "delta=0.0 must be a finite number greater than 0"),
        ({"ratio": 1.0}, "ratio=1.0 must be above 0 and less than 1"),
        ({"cap": float("inf")}, "cap=inf must be a finite number greater than 0"),
    ],
)
def test_settings_of_a_search(arguments, message):
    with pytest.raises(InputError, match=f"^attack.{message}"):
        LineSearch(**arguments).check("attack.")


@pytest.mark.parametrize("knowledge", ["full", "partial"])
def test_a_rule_is_asked_about_copies_of_one_vector(knowledge):
    """As a tensor, and with the Gram matrix that belongs to it; what it is given is no update of the round."""
    updates, axes, asked = normal(7, 9), normal(2, 9, seed=1), []
    before = updates.clone()

    def rule(rows):
        asked.append(rows.updates.clone())
        assert rows.is_finite
        whole = Gram.of(rows.updates)
        for name in ("inner_products", "squared_distances", "norms", "cosines"):
            assert_close(getattr(rows.gram, name), getattr(whole, name), rtol=1e-9, atol=1e-9)
        return F.krum(rows.updates, num_byzantine=1)

    copies = Copies(OfRows(rule), updates, MALICIOUS, axes, knowledge=knowledge)
    plain = Copies(lambda rows: F.krum(rows, num_byzantine=1), updates, MALICIOUS, axes, knowledge=knowledge)
    for factors in ((1.0, 0.0), (0.5, -3.0), (0.0, 1e6)):
        assert torch.equal(copies.answer(*factors), plain.answer(*factors))
        assert_close(asked[-1][MALICIOUS], (factors[0] * axes[0] + factors[1] * axes[1]).expand(3, -1))
        others = updates[~MALICIOUS] if knowledge == "full" else updates[torch.tensor([0, 3, 6, 0])]
        assert torch.equal(asked[-1][~MALICIOUS], others)
    assert torch.equal(updates, before)


def test_what_is_not_finite_is_not_taken_for_finite():
    for spoiled in (torch.inf, torch.nan):
        updates = normal(7, 3)
        updates[1, 1] = spoiled
        assert not Copies(F.median, updates, MALICIOUS, normal(1, 3)).is_finite
        assert not Copies(F.median, normal(7, 3), MALICIOUS, updates[1:2]).is_finite


@pytest.mark.parametrize(
    ("attack", "times"),
    [(F.optimized_alie, 2), (lambda *given, **s: F.optimized_alie(*given, sign="plus", **s), 1), (F.optimized_ipm, 1)],
)
def test_how_often_the_rule_is_asked(attack, times):
    asked = []
    for search, each in ((LineSearch(), 16), (LineSearch("byzfl"), 20), (LineSearch(evaluations=3), 3)):
        asked.clear()
        attack(normal(7, 3), MALICIOUS, lambda updates: asked.append(1) or F.median(updates), search=search)
        assert len(asked) == times * each
    asked.clear()

    def told(updates):
        asked.append(1)
        return updates[0] if len(asked) == 1 else updates.mean(dim=0)

    F.tailored_attack(normal(7, 3), MALICIOUS, told)
    assert len(asked) == 21
    asked.clear()
    F.tailored_attack(normal(7, 3), MALICIOUS, told, objective="deviation", evaluations=4)
    assert len(asked) == 4
    asked.clear()
    F.cosine_attack(normal(7, 3), MALICIOUS, torch.ones(3), told, perturbation="std")
    assert len(asked) == 20
    asked.clear()  # nothing to search for
    F.cosine_attack(normal(7, 3), MALICIOUS, torch.ones(3), asked.append, cosines=[0.3])
    attack(torch.zeros(7, 3), MALICIOUS, asked.append)
    attack(normal(7, 3), torch.zeros(7, dtype=torch.bool), asked.append)
    assert not asked


def test_the_search_does_at_least_the_harm_of_what_it_tries():
    """And of the two signs of ALIE the worse one."""
    updates = normal(12, 20)
    malicious, mean = torch.arange(12) < 4, updates[4:].mean(dim=0)

    def harm(sent):
        return float((F.median(sent) - mean).norm())

    both, minus, plus = (
        harm(F.optimized_alie(updates, malicious, F.median, sign=sign)) for sign in ("both", "minus", "plus")
    )
    assert both == max(minus, plus)
    assert minus != plus
    assert harm(F.optimized_ipm(updates, malicious, F.median)) > harm(updates)


def test_the_harm_of_an_attack_on_the_trimmed_mean_ends_where_it_is_trimmed():
    """The example of the catalogue: four benign updates and a malicious one, one of each side trimmed."""
    benign = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 1.0], [2.0, 4.0, -1.0], [2.0, 2.0, 4.0]], dtype=torch.float64)
    updates, malicious = torch.cat([benign, benign[:1]]), torch.arange(5) == 4
    sent = F.tailored_attack(updates, malicious, lambda rows: F.trimmed_mean(rows, trim=1), perturbation="unit")
    aggregate = F.trimmed_mean(sent, trim=1)
    assert_close(aggregate, torch.tensor([5 / 3, 4 / 3, 0.0], dtype=torch.float64))
    assert float((aggregate - benign.mean(dim=0)).norm()) == pytest.approx(1.247219, abs=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
@quickly
def test_krum_picks_what_is_tailored_to_it_and_nothing_further(seed):
    """Or it is where Min-Max ends; the mean itself where Krum picks nothing on the way."""
    updates, malicious = normal(9, 5, seed=seed), torch.arange(9) < 2
    mean = updates[2:].mean(dim=0)

    def rule(rows):
        return F.krum(rows, num_byzantine=2)

    def is_picked(crafted):
        sent = updates.clone()
        sent[malicious] = crafted
        return torch.equal(rule(sent), crafted)

    crafted, allowed = F.tailored_attack(updates, malicious, rule)[0], F.min_max(updates, malicious)[0]
    stretch = float((crafted - mean).norm() / (allowed - mean).norm())
    assert 0.0 <= stretch < 1.0
    assert is_picked(crafted) or stretch == 0.0
    assert stretch > 1 - 1e-5 or not is_picked(crafted + 1e-5 * (allowed - mean))


def test_cosines_and_lengths():
    updates, root = normal(7, 9), normal(9, seed=3)
    for perturbation in ("sign", "std"):
        for cosine in (0.05, 0.5, 1.0):
            settings = {"perturbation": perturbation, "cosines": [cosine]}
            sent = F.cosine_attack(updates, MALICIOUS, root, F.median, **settings)[0]
            assert float(sent.norm()) == pytest.approx(float(root.norm()))
            assert float(F.cosine_similarity(sent[None], root)) == pytest.approx(cosine)
    # Nothing of the sign is orthogonal to the root update, nor of the deviation: of a coordinate something is.
    same = torch.ones(7, 4, dtype=torch.float64)
    sent = F.cosine_attack(same, MALICIOUS, same[0], F.median, cosines=[0.5])[0]
    assert float(F.cosine_similarity(sent[None], same[0])) == pytest.approx(0.5)
    assert torch.equal(F.cosine_attack(updates, MALICIOUS, 0 * root, F.median), updates)
