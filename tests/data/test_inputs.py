import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flt.data import Examples
from flt.data.inputs import InputPipeline, Normalization
from flt.errors import InputError


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def augment(pipeline, images, seed=0):
    return pipeline.augment(images, pipeline.draw(images.shape[:-3].numel(), draw(seed)))


def pictures(*leading, channels=2, height=5, width=7):
    """Every pixel has a value of its own, above 0."""
    count = channels * height * width * torch.Size(leading).numel()
    return torch.arange(1.0, count + 1).view(*leading, channels, height, width)


def crops(image, padding, flip):
    """All images that augmenting may make of one."""
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * padding, width + 2 * padding)
    padded[:, padding : padding + height, padding : padding + width] = image
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            crop = padded[:, top : top + height, left : left + width]
            yield crop
            if flip:
                yield crop.flip(2)


@pytest.mark.parametrize(("padding", "flip"), [(0, True), (1, False), (2, True)])
def test_each_image_is_one_of_its_own_crops(padding, flip):
    images = pictures(6, 3)
    augmented = augment(InputPipeline(padding, flip), images)
    assert augmented.shape == images.shape
    for image, made in zip(images.flatten(0, 1), augmented.flatten(0, 1), strict=True):
        assert any(torch.equal(made, crop) for crop in crops(image, padding, flip))


def test_every_crop_is_equally_likely():
    image, padding = pictures(channels=1, height=2, width=3), 1
    number = 9_000
    made = augment(InputPipeline(padding, True), image.expand(number, *image.shape))
    counts = torch.tensor([(made == crop).flatten(1).all(1).sum() for crop in crops(image, padding, True)])
    assert counts.sum() == number
    expected = number / len(counts)
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 40  # 17 degrees of freedom: exceeded once in a thousand


def test_the_draw_is_a_function_of_the_generator():
    images, pipeline = pictures(8), InputPipeline(2, True)
    first = augment(pipeline, images)
    assert torch.equal(first, augment(pipeline, images))
    assert not torch.equal(first, augment(pipeline, images, 1))
    assert torch.equal(images, pictures(8))


def test_nothing_asked_nothing_done():
    images = pictures(4)
    assert augment(InputPipeline(), images) is images
    assert not InputPipeline(normalize=True).augments


@pytest.mark.parametrize(
    ("pipeline", "example", "message"),
    [
        (
            InputPipeline(1),
            torch.zeros(12),
            r"change images, but the data set has examples of shape \[12\]: leave both",
        ),
        (InputPipeline(flip=True), torch.zeros(12), "data.inputs.flip=True change images, but"),
        (InputPipeline(4), torch.zeros(1, 4, 6), "crop_padding=4 must be less than the 4 pixels of an image's side"),
        (InputPipeline(1), torch.zeros(1, 4, 6).long(), r"the data set has integers of shape \[1, 4, 6\]: leave both"),
        (InputPipeline(normalize=True), torch.zeros(5).long(), "normalize=True: the examples are integers, such as"),
        (
            InputPipeline(0, False, True, [0.1] * 2, [1.0] * 2),
            torch.zeros(3, 4, 4),
            "has 2 numbers, and .*: give one, or 3",
        ),
    ],
)
def test_examples_that_cannot_be_changed_so(pipeline, example, message):
    with pytest.raises(InputError, match=message):
        pipeline.check(Examples(example[None], torch.zeros(1).long()))


def test_examples_that_can():
    for pipeline, example in ((InputPipeline(3, True, True), torch.zeros(1, 4, 4)), (InputPipeline(), torch.zeros(5))):
        pipeline.check(Examples(example[None], torch.zeros(1).long()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop_padding": -1}, r"data\.inputs\.crop_padding=-1 must be 0 or more pixels"),
        ({"mean": [0.1]}, r"mean=\[0.1\] and data.inputs.std=None: give both"),
        ({"mean": [0.1], "std": [1.0, 2.0]}, "give both, a number each per channel"),
        ({"mean": [0.1], "std": [0.0]}, r"data.inputs.std=\[0.0\]: give finite numbers, for std above 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(InputError, match=message):
        InputPipeline(**{"normalize": True} | settings)


def test_a_given_mean_and_deviation():
    examples = Examples(pictures(3), torch.zeros(3).long())
    for mean, std in (([0.5], [0.25]), ([0.5] * 2, [0.25] * 2)):
        found = InputPipeline(normalize=True, mean=mean, std=std).normalization(examples)
        assert torch.equal(found(examples.features), (examples.features - 0.5) / 0.25)
    with pytest.warns(UserWarning, match="no effect with normalize=False"):
        assert InputPipeline(mean=[0.5], std=[0.25]).normalization(examples) is None


@given(st.integers(2, 40), st.integers(1, 4), st.booleans(), st.floats(0.01, 1e3), st.floats(-1e3, 1e3))
def test_normalised_features_have_mean_0_and_variance_1(number, channels, images, spread, shift):
    shape = (number, channels, 3, 2) if images else (number, channels)
    features = (torch.randn(shape, generator=draw(number), dtype=torch.float64) * spread + shift).float()
    normalised = Normalization.over(features.double())(features).transpose(0, 1).flatten(1)
    torch.testing.assert_close(normalised.mean(1), torch.zeros(channels).double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(normalised.var(1, correction=0), torch.ones(channels).double(), rtol=1e-4, atol=0)


def test_a_constant_channel_is_only_shifted():
    features = torch.full((7, 2), 0.1)
    features[:, 1] = torch.arange(7.0)
    normalised = Normalization.over(features)(features)
    assert torch.equal(normalised[:, 0], torch.zeros(7))
    assert Normalization.over(features).scale[0] == 1


def test_another_dimension_can_be_the_channels():
    features = pictures(5)
    norm = Normalization.over(features)
    batch = features.view(1, 5, 1, *features.shape[1:])
    assert torch.equal(norm(batch, channel_dim=3).flatten(0, 2), norm(features))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scales_whose_squares_leave_float32(scale):
    features = scale * torch.randn(500, 2, generator=draw())
    normalised = Normalization.over(features)(features)
    torch.testing.assert_close(normalised.var(0, correction=0), torch.ones(2), rtol=1e-4, atol=0)
