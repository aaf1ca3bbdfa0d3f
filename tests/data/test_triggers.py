import pytest
import torch

from flt.data import HAR, HAR_TRIGGER, FeatureTrigger
from flt.errors import InputError


def test_sets_its_features_and_no_other():
    features = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    before = features.clone()
    marked = FeatureTrigger([0, 6], value=2.5)(features)
    assert torch.equal(features, before)
    assert marked[:, [0, 6]].unique().tolist() == [2.5]
    assert torch.equal(marked[:, 1:6], features[:, 1:6])
    assert marked.data_ptr() != features.data_ptr()


def test_har_trigger_is_every_twentieth_feature_counted_from_one():
    marked = HAR_TRIGGER(torch.ones(2, 561))
    zeros = (marked[0] == 0).nonzero()[:, 0] + 1
    assert zeros.tolist() == list(range(20, 561, 20))
    assert HAR.trigger is HAR_TRIGGER
    assert HAR.target_class == 1


def test_index_beyond_the_features():
    with pytest.raises(InputError, match="indices of a trigger reach 7, but the examples have 7 features"):
        FeatureTrigger([0, 7])(torch.zeros(1, 7))


@pytest.mark.parametrize("indices", [[], [-1, 2]])
def test_indices_must_be_there_and_not_negative(indices: list[int]):
    with pytest.raises(InputError, match=r"indices=.*name one feature or more, counted from 0"):
        FeatureTrigger(indices)
