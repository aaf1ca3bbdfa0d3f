"""Convolutional networks of published comparisons on MNIST."""

import torch
from torch import Tensor, nn

from flt.errors import check_count

SIDE = 28


class ByzFLCNN(nn.Module):
    """ByzFL's network for MNIST (its ``cnn_mnist``); 431,080 parameters for 10 classes.

    Convolution 5x5 to 20 channels, ReLU, max pooling 2x2; convolution 5x5 to 50 channels, ReLU, max pooling 2x2; fully
    connected to 500, ReLU; fully connected to the classes. No padding; images are grey, of 28x28 pixels.

    Args:
        num_classes: Number of classes.

    Reference:
        Gonzalez et al., ByzFL: Research Framework for Robust Federated Learning, 2025.

    Reading:
        ByzFL takes the logarithm of the softmax in the network and the negative log-likelihood as loss, which is the
        cross-entropy of the scores.

    Example:
        >>> sum(parameter.numel() for parameter in ByzFLCNN().parameters())
        431080
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        check_count("ByzFLCNN: num_classes", num_classes)
        # Pooling before the ReLU gives the same function, and the ReLU has a quarter of the numbers.
        self.layers = nn.Sequential(
            nn.Conv2d(1, 20, kernel_size=5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(20, 50, kernel_size=5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(50 * (((SIDE - 4) // 2 - 4) // 2) ** 2, 500),
            nn.ReLU(),
            nn.Linear(500, num_classes),
        ).to(memory_format=torch.channels_last)  # in which a processor calls them up to twice as fast

    def forward(self, features: Tensor) -> Tensor:
        """Class scores, shape ``[n, num_classes]``, of images, shape ``[n, 1, 28, 28]``."""
        scores: Tensor = self.layers(features)
        return scores


class BucketingCNN(nn.Module):
    """The bucketing paper's network for MNIST; 1,199,882 parameters for 10 classes.

    Convolution 3x3 to 32 channels, ReLU; convolution 3x3 to 64 channels, max pooling 2x2, dropout of a quarter of the
    channels; fully connected to 128, ReLU, dropout of half of the features; fully connected to the classes. No padding;
    images are grey, of 28x28 pixels.

    Args:
        num_classes: Number of classes.
        dropout: Whether there is dropout, the paper's; without it training draws nothing.
        second_relu: Whether there is a ReLU after the second convolution too, as one would expect; the authors'
            networks have none, and under the median much depends on it.

    Reference:
        Karimireddy, He and Jaggi, Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022.

    Reading:
        The code drops channels before the last layer as well, of which each has one feature there: plain dropout. The
        file with this network is not in the bucketing paper's repository as it is stored; that of the same authors'
        decentralized experiments, and two others' copies, have no ReLU after the second convolution.

    Example:
        >>> sum(parameter.numel() for parameter in BucketingCNN().parameters())
        1199882
    """

    def __init__(self, num_classes: int = 10, dropout: bool = True, second_relu: bool = False) -> None:
        super().__init__()
        check_count("BucketingCNN: num_classes", num_classes)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3),
            nn.MaxPool2d(2),  # before the ReLU, as above
            nn.ReLU() if second_relu else nn.Identity(),
            nn.Dropout2d(0.25) if dropout else nn.Identity(),
            nn.Flatten(),
            nn.Linear(64 * ((SIDE - 4) // 2) ** 2, 128),
            nn.ReLU(),
            nn.Dropout(0.5) if dropout else nn.Identity(),
            nn.Linear(128, num_classes),
        ).to(memory_format=torch.channels_last)

    def forward(self, features: Tensor) -> Tensor:
        """Class scores, shape ``[n, num_classes]``, of images, shape ``[n, 1, 28, 28]``."""
        scores: Tensor = self.layers(features)
        return scores
