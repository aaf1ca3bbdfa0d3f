"""Makes the clusters of examples that stand-ins consist of."""

import torch
from torch import Tensor


def paired_classes(
    labels: Tensor, *, num_classes: int, dimensions: int, pair_distance: float, generator: torch.Generator
) -> Tensor:
    """Draws Gaussian clusters of unit variance, one a class; classes 0 and 1, 2 and 3, ... lie close together.

    Args:
        labels: Class of each example, int64 of shape ``[num_examples]``.
        num_classes: Number of classes.
        dimensions: Number of latent dimensions.
        pair_distance: Distance between the centres of a pair, in standard deviations of a cluster.
        generator: Source of the draws.

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
    """Mixes latent dimensions into features with noise and a bias of their own, squashed into (-1, 1).

    Args:
        latent: Float32 of shape ``[num_examples, dimensions]``.
        num_features: Number of features.
        generator: Source of the draws.

    Returns:
        Float32 of shape ``[num_examples, num_features]``.
    """
    dimensions = latent.shape[1]
    mixing = torch.randn(dimensions, num_features, generator=generator) / dimensions**0.5
    bias = torch.randn(num_features, generator=generator) / 2
    noise = torch.randn(len(latent), num_features, generator=generator) / 2
    return torch.tanh((latent @ mixing + bias + noise) / 2)
