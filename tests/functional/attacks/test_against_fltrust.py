"""What FLTrust, which judges by direction and takes no length from a client, makes of attacks by construction."""

from functools import partial

import pytest
import torch
from hostile import Case, federation_of, receive, round_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from callbacks import FLTrust, NonFinite, ZeroUpdate
from flt import functional as F

SEEDS = st.integers(0, 2**32 - 1)
few = settings(settings.get_profile("short"), max_examples=50)


def honest_round(seed):
    """Updates, who is malicious, and a root update to which the benign mean is at less than a right angle."""
    draw = torch.Generator().manual_seed(seed)
    num_clients = int(torch.randint(4, 12, (), generator=draw))
    updates, root = (torch.randn(*shape, 6, generator=draw, dtype=torch.float64) for shape in ((num_clients,), ()))
    malicious = torch.arange(num_clients) < torch.randint(1, num_clients - 2, (), generator=draw)
    mean = updates[~malicious].mean(dim=0)
    return updates, malicious, root if mean @ root > 0 else -root


def against(function, seed, **settings):
    """What is sent in such a round, its benign mean, the root update, and the malicious clients' trust scores."""
    updates, malicious, root = honest_round(seed)
    sent = function(updates, malicious, **settings)
    return sent, malicious, updates[~malicious].mean(dim=0), root, F.trust_scores(sent, root)[malicious]


@pytest.mark.parametrize("attack", [partial(F.sign_flip, variant="mean"), partial(F.ipm, epsilon=10.0), F.ipm])
@given(seed=SEEDS)
@few
def test_a_mean_turned_around_is_dropped(attack, seed):
    sent, malicious, _, root, trust = against(attack, seed)
    assert not trust.any()
    assert_close(F.fltrust(sent, root), F.fltrust(sent[~malicious], root))


@given(seed=SEEDS)
@few
def test_it_is_trusted_where_the_mean_points_away_from_the_root_update(seed):
    """As it does in a third of the rounds of HAR: dropping is no property of the attack."""
    updates, malicious, root = honest_round(seed)
    assert F.trust_scores(F.ipm(updates, malicious), -root)[malicious].all()


@pytest.mark.parametrize("attack", [F.min_max, F.min_sum, partial(F.min_sum, bound="min")])
@given(seed=SEEDS)
@few
def test_the_unit_vector_leaves_the_direction_of_the_mean_or_is_dropped(attack, seed):
    sent, malicious, mean, root, trust = against(attack, seed, perturbation="unit")
    length = root.norm() / mean.norm()
    if trust.any():
        along_mean = sent.where(~malicious[:, None], length * mean)
        assert_close(F.fltrust(sent, root), F.fltrust(along_mean, root))
    else:
        assert_close(F.fltrust(sent, root), F.fltrust(sent[~malicious], root))


@given(seed=SEEDS)
@few
def test_other_perturbations_are_not_as_harmless(seed):
    sent, malicious, mean, _, _ = against(F.min_max, seed, perturbation="std")
    assert F.cosine_similarity(sent, mean)[malicious].max() < 1 - 1e-9


@pytest.mark.parametrize("attack", [F.optimized_ipm, partial(F.tailored_attack, perturbation="unit")])
@given(seed=SEEDS)
@few
def test_a_search_along_the_mean_finds_nothing_worse_than_the_mean_or_being_dropped(attack, seed):
    updates, malicious, root = honest_round(seed)
    sent = attack(updates, malicious, partial(F.fltrust, root_update=root))
    mean = updates[~malicious].mean(dim=0)
    is_dropped = F.trust_scores(sent, root)[malicious] == 0
    is_along_mean = F.cosine_similarity(sent, mean)[malicious] > 1 - 1e-9
    assert (is_dropped | is_along_mean).all()


@pytest.mark.parametrize("attack", [ZeroUpdate(), NonFinite(), NonFinite(value="nan")], ids=["zero", "inf", "nan"])
@given(seed=SEEDS)
@few
def test_what_has_no_direction_has_no_trust(attack, seed):
    updates, malicious, root = (each.float() for each in honest_round(seed))
    malicious = malicious.bool()
    federation = federation_of(num_examples=torch.ones(len(updates)), malicious=malicious)
    received, aggregate = receive(Case(round_of(federation, updates, root), len(updates)), FLTrust(), attack)
    assert not aggregate.trust_scores[received.malicious].any()
    assert_close(aggregate.update, F.fltrust(updates[~malicious], root))
