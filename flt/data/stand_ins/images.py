"""Makes synthetic images of a real data set's shape."""

import torch

from flt.data.readers.images import Images
from flt.data.stand_ins.clusters import paired_classes
from flt.random import generator

DIMENSIONS, COARSE, BLOCK = 32, 7, 2_000


def synthetic_images(
    name: str,
    *,
    num_train: int,
    num_test: int,
    num_classes: int,
    shape: tuple[int, int, int],
    darkness: float = 0.0,
    seed: int = 0,
) -> Images:
    """Makes images of smooth random patterns, mixed in proportions that depend on the class.

    Each image is a mixture of 32 smooth patterns, squashed into black and white. Classes come in pairs that overlap. A
    linear model and a small convolutional network both reach a testing error rate of a few per cent.

    Args:
        name: Name of the data set that these images stand in for; each has its own patterns.
        num_train: Number of training images.
        num_test: Number of test images.
        num_classes: Number of classes.
        shape: Channels, height and width.
        darkness: Share of black: 0 for as much black as white, 1.6 for MNIST's mean brightness of 0.13.
        seed: Seed of the synthetic data. It does not follow the run's seed.
    """
    draw = generator(seed, f"stand-in {name}")
    labels = torch.randint(num_classes, (num_train + num_test,), generator=draw)
    latent = paired_classes(labels, num_classes=num_classes, dimensions=DIMENSIONS, pair_distance=4.25, generator=draw)
    channels, height, width = shape
    coarse = torch.randn(DIMENSIONS, channels, COARSE, COARSE, generator=draw)
    patterns = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").flatten(1) / DIMENSIONS**0.5
    images = torch.empty(len(latent), patterns.shape[1], dtype=torch.uint8)
    for start in range(
        0, len(latent), BLOCK
    ):  # in blocks, because a float copy of all images would take four times the memory
        intensity = latent[start : start + BLOCK] @ patterns
        images[start : start + BLOCK] = intensity.sub_(darkness).mul_(2).sigmoid_().mul_(255).round_()
    images = images.view(-1, *shape)
    return Images(images[:num_train], labels[:num_train], images[num_train:], labels[num_train:])
