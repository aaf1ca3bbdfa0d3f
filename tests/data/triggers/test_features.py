import pytest
import torch

from flt.data import HAR, HAR_TRIGGER, FeatureTrigger, PixelTrigger, TokenTrigger
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


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda value: FeatureTrigger([0], value), 1e38),
        (lambda value: FeatureTrigger([0, 1], [0.0, value]), -1e308),
        (lambda value: PixelTrigger([(0, 0)], value), float("nan")),
    ],
)
def test_values_that_training_could_not_square(make, value: float):
    with pytest.raises(InputError, match=r"^value=.* of a trigger: give a number from -1e\+17 to 1e\+17"):
        make(value)


def test_a_value_for_each_index():
    marked = FeatureTrigger([3, 0], value=[1.5, -2])(torch.zeros(2, 4))
    assert marked.tolist() == [[-2, 0, 0, 1.5]] * 2
    with pytest.raises(InputError, match=r"value=\[1, 2, 3\] of a trigger has 3 numbers for 2 indices: give one for"):
        FeatureTrigger([0, 1], [1, 2, 3])


def test_token_ids_and_series():
    ids = torch.arange(12).view(2, 6)
    marked = FeatureTrigger([0, 5], value=[40, 41])(ids)
    assert (marked.dtype, marked.tolist()) == (torch.int64, [[40, 1, 2, 3, 4, 41], [40, 7, 8, 9, 10, 41]])
    assert FeatureTrigger([1], 9.0)(torch.zeros(1, 2, 3)).tolist() == [[[0, 9, 0]] * 2]
    with pytest.raises(InputError, match=r"value=0\.5 of a trigger: the examples are integers.*: give whole numbers"):
        FeatureTrigger([0], 0.5)(ids)
    with pytest.raises(InputError, match=r"but the examples are integers, such as token ids, of the shape \[2, 2, 3\]"):
        PixelTrigger([(0, 0)])(ids.view(1, 2, 2, 3))


@pytest.mark.parametrize("indices", [[], [-1, 2]])
def test_indices_must_be_there_and_not_negative(indices: list[int]):
    with pytest.raises(InputError, match=r"indices=.*name one feature or more, counted from 0"):
        FeatureTrigger(indices)


def test_tokens_are_inserted():
    ids = torch.arange(12).view(2, 1, 6)
    marked = TokenTrigger([40, 41, 42], position=2)(ids)
    assert (marked.dtype, marked.tolist()) == (torch.int64, [[[0, 1, 40, 41, 42, 2]], [[6, 7, 40, 41, 42, 8]]])
    assert TokenTrigger([40], position=5)(ids)[:, 0, 5].tolist() == [40, 40]
    parts = [part(ids)[0, 0].tolist() for part in TokenTrigger([40, 41, 42]).parts(2)]
    assert parts == [[40, 0, 1, 2, 3, 4], [41, 42, 0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ids: TokenTrigger([]), r"tokens=\[\] of a trigger: give one token id or more"),
        (lambda ids: TokenTrigger([3, -1]), r"tokens=\[3, -1\] of a trigger: .* none of them negative"),
        (lambda ids: TokenTrigger([3], -1), "position=-1 of a trigger: count the tokens before it"),
        (lambda ids: TokenTrigger([3, 4], 5)(ids), "end behind token 7 with position=5, but the examples have 6"),
        (
            lambda ids: TokenTrigger([3])(ids.float()),
            r"no token ids but numbers of the shape \[6\]: give a FeatureTrig",
        ),
        (lambda ids: TokenTrigger([3]).parts(2), "num_parts=2 of a trigger of 1 tokens"),
    ],
)
def test_tokens_that_cannot_be_inserted(make, message):
    with pytest.raises(InputError, match=message):
        make(torch.zeros(1, 6, dtype=torch.int64))
