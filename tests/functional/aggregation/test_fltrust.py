import numpy as np
import pytest
import reference
import torch
from hostile import HARMLESS, HUGE, TINY, cases, federation_of, round_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from callbacks import FLTrust
from flt import functional as F

whole = st.integers(-4, 4).map(float)  # exact inner products, many zero vectors and right angles
some_updates = arrays(np.float64, st.tuples(st.integers(2, 7), st.just(4)), elements=whole)
some_root = arrays(np.float64, 4, elements=whole)
quickly = settings(settings.get_profile("short"), max_examples=60)

# Norm 5; the clients' norms are 10, 1 and 5, their cosines 1, 0.8 and -1.
ROOT = torch.tensor([3.0, 4.0])
UPDATES = torch.tensor([[6.0, 8.0], [0.0, 1.0], [-3.0, -4.0]])


def test_cosines_and_trust_scores_by_hand():
    torch.testing.assert_close(F.cosine_similarity(UPDATES, ROOT), torch.tensor([1.0, 0.8, -1.0]))
    torch.testing.assert_close(F.trust_scores(UPDATES, ROOT), torch.tensor([1.0, 0.8, 0.0]))
    torch.testing.assert_close(F.trust_scores(UPDATES, ROOT, score="signed"), torch.tensor([1.0, 0.8, -1.0]))


def test_nobody_trusted_gives_a_zero_update():
    """Not the plain mean, and not the server's update."""
    updates = torch.tensor([[-1.0, 0.0], [-2.0, 1.0], [0.0, 7.0]])
    aggregate = F.fltrust(updates, torch.tensor([1.0, 0.0]), magnitude="own")
    torch.testing.assert_close(aggregate, torch.zeros(2), rtol=0, atol=0)


def test_scores_that_cancel_are_not_nobody_s():
    """Scores 1 and -1 and the root update's own 1: ``(g_0 - (-g_0) + g_0) / 1``, by function and callback."""
    updates, root = UPDATES[[0, 2]], ROOT
    settings = {"score": "signed", "include_root": True}
    federation = federation_of(num_examples=torch.ones(2), malicious=torch.zeros(2, dtype=torch.bool))
    found = FLTrust(**settings).aggregate(round_of(federation, updates, root)).update
    torch.testing.assert_close(found, 3 * root)
    torch.testing.assert_close(F.fltrust(updates, root, **settings), 3 * root)


@pytest.mark.parametrize("variant", [{}, {"magnitude": "own"}, {"score": "signed"}, {"include_root": True}])
def test_zero_root_update_gives_a_zero_update(variant):
    torch.testing.assert_close(F.fltrust(UPDATES, torch.zeros(2), **variant), torch.zeros(2), rtol=0, atol=0)


@given(some_updates, some_root)
@quickly
def test_never_longer_than_the_root_update(updates, root_update):
    aggregate = F.fltrust(torch.tensor(updates), torch.tensor(root_update))
    assert aggregate.norm() <= np.linalg.norm(root_update) * (1 + 1e-12)


@given(cases(kinds=("normal", "one entry", "root", "opposite to root", "copy", "zero")), st.data())
@quickly
def test_any_positive_factor_leaves_the_aggregate_alone(case, data):
    """In float32, for factors whose squares it could not hold."""
    updates, root_update = case.round.updates, case.round.root_update
    powers = st.lists(st.floats(-30, 30), min_size=len(updates), max_size=len(updates))
    scaled = updates * torch.tensor([10**power for power in data.draw(powers)])[:, None]
    expected = F.fltrust(updates, root_update)
    trust = float(F.trust_scores(updates, root_update).sum())
    if trust > 1e-3:  # else the aggregate is made of the rounding of right angles
        tolerance = 1e-6 * len(updates) * float(root_update.norm()) / min(trust, 1.0)
        torch.testing.assert_close(F.fltrust(scaled, root_update), expected, rtol=0, atol=tolerance)


@given(cases(kinds=(*HARMLESS, *TINY, *HUGE)))
@quickly
def test_one_beyond_ninety_degrees_might_as_well_not_be_there(case):
    """In float32, whatever else it is; so might one at ninety degrees, but for the rounding of a right angle."""
    updates, root_update = case.round.updates, case.round.root_update
    wide, root = updates.double(), root_update.double()
    cosines = (wide @ root) / (wide.norm(dim=1) * root.norm()).clamp(min=1e-300)
    total = float(cosines.clamp(min=0).sum())
    if total > 1e-3:
        others = F.fltrust(updates[cosines > 0], root_update)
        tolerance = 1e-6 * len(updates) * float(root.norm()) / min(total, 1.0)
        torch.testing.assert_close(F.fltrust(updates, root_update), others, rtol=0, atol=tolerance)
    beyond = cosines < -1e-6
    assert not F.trust_scores(updates, root_update)[beyond].any()
    if beyond.any() and not beyond.all():
        left = F.fltrust(updates[~beyond], root_update)
        torch.testing.assert_close(F.fltrust(updates, root_update), left, rtol=1e-5, atol=1e-6 * float(root.norm()))


def test_unknown_rescaling_is_refused():
    with pytest.raises(ValueError, match=r"magnitude.*shorter"):
        F.fltrust(UPDATES, ROOT, magnitude="shorter")


@pytest.mark.parametrize(
    "variant", [{}, {"score": "signed"}, {"magnitude": "at_most_root"}, {"magnitude": "own"}, {"include_root": True}]
)
@pytest.mark.parametrize("size", [1e-45, 1e-39, 1e-30])
def test_a_tiny_update_spoils_nothing(variant, size):
    """Its factor to the root's length may be beyond float32."""
    updates = torch.cat([UPDATES, size * torch.tensor([[1.0, 0.0]])])
    aggregate = F.fltrust(updates, ROOT, **variant)
    arrays = updates.double().numpy(), ROOT.double().numpy()
    exact, without = (
        torch.tensor(reference.fltrust(rows, arrays[1], **variant)) for rows in (arrays[0], arrays[0][:3])
    )
    near = [torch.allclose(aggregate.double(), each, rtol=1e-4, atol=1e-6) for each in (exact, without)]
    assert any(near), (aggregate, exact, without)  # counted exactly, or as the zero that it nearly is


@pytest.mark.parametrize("magnitude", ["own", "at_most_root", "root"])
def test_a_mean_of_large_updates_does_not_overflow_on_the_way(magnitude):
    updates, root_update = torch.full((100, 4), 1e37), torch.full((4,), 1e37)
    torch.testing.assert_close(F.fltrust(updates, root_update, magnitude=magnitude), root_update)


def test_a_mean_of_small_trust_scores():
    updates, root_update = torch.tensor([[1e-39, 1.0], [1e-39, 1.0]]), torch.tensor([1.0, 0.0])
    torch.testing.assert_close(F.fltrust(updates, root_update), torch.tensor([0.0, 1.0]), rtol=1e-4, atol=1e-6)
