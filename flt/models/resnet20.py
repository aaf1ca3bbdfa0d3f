"""The paper's residual network for CIFAR-10 and CH-MNIST."""

from typing import Literal

from torch import Tensor, nn

from flt.errors import check_choice

Normalization = Literal["batch", "group"]


class ResNet20(nn.Module):
    """He et al.'s residual network of 20 layers for small images.

    A 3x3 convolution to 16 channels, three stages of three blocks with 16, 32 and 64 channels, global average pooling
    and a fully connected layer; a stage's first block halves the image, its shortcut is a 1x1 convolution.

    Args:
        in_channels: Channels of an image; 3 for CIFAR-10, 1 for CH-MNIST.
        num_classes: Number of classes.
        normalization: "batch" normalisation, or "group" normalisation with groups of 8 channels, which has no running
            statistics.

    Raises:
        InputError: If ``normalization`` is neither.

    Reference:
        He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2.
    """

    def __init__(self, in_channels: int = 3, num_classes: int = 10, normalization: Normalization = "batch") -> None:
        super().__init__()
        check_choice("normalization", normalization, Normalization)
        blocks: list[nn.Module] = []
        channels = 16
        for width in (16, 32, 64):
            for position in range(3):
                stride = 2 if width > 16 and position == 0 else 1
                blocks.append(_Block(channels, width, stride, normalization))
                channels = width
        self.layers = nn.Sequential(
            *_convolution(in_channels, 16, 1, normalization),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, num_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Class scores, shape ``[n, num_classes]``, of images, shape ``[n, in_channels, height, width]``."""
        scores: Tensor = self.layers(features)
        return scores


class _Block(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int, normalization: Normalization) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(in_channels, channels, stride, normalization),
            nn.ReLU(),
            *_convolution(channels, channels, 1, normalization),
        )
        same = in_channels == channels and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(*_convolution(in_channels, channels, stride, normalization, kernel_size=1))
        )

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.relu(self.residual(features) + self.shortcut(features))


def _convolution(
    in_channels: int, channels: int, stride: int, normalization: Normalization, kernel_size: int = 3
) -> tuple[nn.Module, nn.Module]:
    convolution = nn.Conv2d(in_channels, channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    if normalization == "batch":
        return convolution, nn.BatchNorm2d(channels)
    return convolution, nn.GroupNorm(channels // 8, channels)
