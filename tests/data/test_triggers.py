import pytest
import torch

from flt.data import CHMNIST_TRIGGER, CIFAR10_TRIGGER, HAR, HAR_TRIGGER, MNIST_TRIGGER, FeatureTrigger, PixelTrigger
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


@pytest.mark.parametrize(
    ("trigger", "shape", "pixels"),
    [
        (MNIST_TRIGGER, (1, 28, 28), {(24, 26), (26, 24), (25, 25), (26, 26)}),
        (CHMNIST_TRIGGER, (1, 64, 64), {(60, 62), (62, 60), (61, 61), (62, 62)}),
        (CHMNIST_TRIGGER, (1, 28, 28), {(24, 26), (26, 24), (25, 25), (26, 26)}),
        (
            CIFAR10_TRIGGER,
            (3, 32, 32),
            {(1, 28), (1, 29), (1, 30), (2, 29), (3, 28), (4, 29), (5, 28), (5, 29), (5, 30)},
        ),
    ],
)
def test_pixels_of_the_paper(trigger: PixelTrigger, shape: tuple[int, ...], pixels: set[tuple[int, int]]):
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0)) / 2
    before = images.clone()
    marked = trigger(images)
    assert torch.equal(images, before)
    changed = marked != images
    assert torch.equal(changed, changed[:1, :1].expand_as(changed))
    assert {tuple(position) for position in changed[0, 0].nonzero().tolist()} == pixels
    assert marked[changed].unique().tolist() == [1.0]


def test_pixels_counted_from_the_other_corner_and_other_values():
    marked = PixelTrigger([(-1, 0)], value=0.25)(torch.zeros(2, 3, 4, 5, dtype=torch.float64))
    assert marked.dtype == torch.float64
    assert marked.nonzero()[:, 2:].unique(dim=0).tolist() == [[3, 0]]
    assert marked.sum() == 2 * 3 * 0.25


@pytest.mark.parametrize("position", [(4, 0), (0, -6)])
def test_pixel_outside_the_image(position: tuple[int, int]):
    message = (
        f"row {position[0]}, column {position[1]}, but the images have 4 rows and 5 columns: use rows from -4 to 3 and"
        " columns from -5 to 4"
    )
    with pytest.raises(InputError, match=message):
        PixelTrigger([(0, 0), position])(torch.zeros(1, 1, 4, 5))


def test_pixels_of_vectors():
    with pytest.raises(InputError, match=r"the examples have the shape \[561\]: give a FeatureTrigger"):
        MNIST_TRIGGER(torch.zeros(2, 561))
    with pytest.raises(InputError, match="name the row and column of one pixel or more"):
        PixelTrigger([])
