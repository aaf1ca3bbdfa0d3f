"""Makes a stand-in for UCI HAR."""

import torch
from torch import Tensor

from flt.data.examples import Examples
from flt.data.stand_ins.clusters import paired_classes, squashed_projection
from flt.random import generator

# fmt: off
HAR_USER_SIZES = (
    347, 302, 341, 317, 302, 325, 308, 281, 288, 294, 316, 320, 327, 323, 328,
    366, 368, 364, 360, 354, 408, 321, 372, 381, 409, 392, 376, 382, 344, 383,
)
# fmt: on
"""Number of windows that each of the 30 volunteers contributed to the real data."""


def synthetic_har(seed: int = 0) -> tuple[Examples, Tensor]:
    """Makes a stand-in for UCI HAR: 10,299 examples of 30 users, 561 features in [-1, 1], 6 classes.

    Classes come in pairs that overlap, as sitting and standing do in the real data, and each user is shifted in a way
    of their own. Multinomial logistic regression reaches a testing error rate of a few per cent.

    Args:
        seed: Seed of the synthetic data. It does not follow the run's seed.

    Returns:
        The examples, sorted by user, and the user of each, int64 of shape ``[10299]``.
    """
    owners = torch.arange(len(HAR_USER_SIZES)).repeat_interleave(torch.tensor(HAR_USER_SIZES))
    draw = generator(seed, "stand-in HAR")
    labels = torch.randint(6, owners.shape, generator=draw)
    latent = paired_classes(labels, num_classes=6, dimensions=40, pair_distance=4.25, generator=draw)
    latent += 0.6 * torch.randn(len(HAR_USER_SIZES), latent.shape[1], generator=draw)[owners]
    return Examples(squashed_projection(latent, num_features=561, generator=draw), labels), owners
