"""Synthetic data of a real data set's shape, for machines that cannot get the real one."""

from collections.abc import Callable
from typing import Literal, TypeVar

import torch
from torch import Tensor

from flt.data.examples import Examples
from flt.data.fetching.download import Unreachable
from flt.errors import InputError
from flt.random import generator

StandInPolicy = Literal["never", "if_unreachable", "always"]
Data = TypeVar("Data")

# fmt: off
HAR_USER_SIZES = (
    347, 302, 341, 317, 302, 325, 308, 281, 288, 294, 316, 320, 327, 323, 328,
    366, 368, 364, 360, 354, 408, 321, 372, 381, 409, 392, 376, 382, 344, 383,
)
# fmt: on
"""Number of windows that each of the 30 volunteers contributed to the real data."""


def real_or_stand_in(
    policy: StandInPolicy, *, real: Callable[[], Data], stand_in: Callable[[], Data], remedy: str
) -> tuple[Data, bool]:
    """The real data, or a stand-in where the user's policy allows it.

    Args:
        policy: Whether a stand-in is used never, always, or if the real data can neither be found nor downloaded.
        real: Loads the real data; raises `Unreachable` if they can neither be found nor downloaded.
        stand_in: Makes the stand-in.
        remedy: How to supply the real data, for the message.

    Returns:
        The data, and whether they are a stand-in.

    Raises:
        InputError: If the real data are not to be had and the policy is ``"never"``.
    """
    if policy == "always":
        return stand_in(), True
    try:
        return real(), False
    except Unreachable as error:
        if policy == "if_unreachable":
            return stand_in(), True
        raise InputError(f"{error}: {remedy}, or pass --data.stand_in=if_unreachable for synthetic data") from error


def synthetic_har(seed: int = 0) -> tuple[Examples, Tensor]:
    """A stand-in for UCI HAR before standardising: 10,299 examples of 30 users, 561 features in [-1, 1], 6 classes.

    Classes come in pairs that overlap, as sitting and standing do in the real data, and each user is shifted in a way
    of their own. Multinomial logistic regression reaches a testing error rate of a few per cent.

    Args:
        seed: Seed of the synthetic data; the same in every run unless one wants another data set.

    Returns:
        The examples, sorted by user, and the user of each, int64 of shape ``[10299]``.
    """
    owners = torch.arange(len(HAR_USER_SIZES)).repeat_interleave(torch.tensor(HAR_USER_SIZES))
    draw = generator(seed, "stand-in HAR")
    labels = torch.randint(6, owners.shape, generator=draw)
    latent = paired_classes(labels, num_classes=6, dimensions=40, pair_distance=4.25, generator=draw)
    latent += 0.6 * torch.randn(len(HAR_USER_SIZES), latent.shape[1], generator=draw)[owners]
    return Examples(squashed_projection(latent, num_features=561, generator=draw), labels), owners


def paired_classes(
    labels: Tensor, *, num_classes: int, dimensions: int, pair_distance: float, generator: torch.Generator
) -> Tensor:
    """Gaussian clusters of unit variance, one a class, of which classes 0 and 1, 2 and 3, ... lie close together.

    Args:
        labels: Class of each example, int64 of shape ``[num_examples]``.
        num_classes: Number of classes.
        dimensions: Number of latent dimensions.
        pair_distance: Distance between the centres of a pair, in standard deviations of a cluster.
        generator: Where the randomness comes from.

    Returns:
        Latent coordinates, float32 of shape ``[num_examples, dimensions]``.
    """
    pairs = torch.randn((num_classes + 1) // 2, dimensions, generator=generator)
    apart = torch.nn.functional.normalize(torch.randn(num_classes, dimensions, generator=generator), dim=1)
    classes = torch.arange(num_classes)
    sign = 1 - 2 * (classes % 2)
    centres = pairs[classes // 2] + sign[:, None] * apart[classes - classes % 2] * pair_distance / 2
    return centres[labels] + torch.randn(len(labels), dimensions, generator=generator)


def squashed_projection(latent: Tensor, *, num_features: int, generator: torch.Generator) -> Tensor:
    """Features that each mix a few latent dimensions, with noise and a bias of their own, squashed into (-1, 1).

    Args:
        latent: Float32 of shape ``[num_examples, dimensions]``.
        num_features: Number of features.
        generator: Where the randomness comes from.

    Returns:
        Float32 of shape ``[num_examples, num_features]``.
    """
    dimensions = latent.shape[1]
    mixing = torch.randn(dimensions, num_features, generator=generator) / dimensions**0.5
    bias = torch.randn(num_features, generator=generator) / 2
    noise = torch.randn(len(latent), num_features, generator=generator) / 2
    return torch.tanh((latent @ mixing + bias + noise) / 2)
