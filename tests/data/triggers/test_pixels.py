import pytest
import torch

from flt.data import CHMNIST_TRIGGER, CIFAR10_TRIGGER, MNIST_TRIGGER, PixelTrigger
from flt.errors import InputError


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
