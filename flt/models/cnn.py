"""The paper's convolutional network for MNIST and Fashion-MNIST."""

from torch import Tensor, nn


class CNN(nn.Module):
    """Two convolutions and two fully connected layers; 139,960 parameters for 28x28 grey images and 10 classes.

    Convolution 3x3 to 30 channels, ReLU, max pooling 2x2; convolution 3x3 to 50 channels, ReLU, max pooling 2x2; fully
    connected to 100, ReLU; fully connected to the classes. No padding.

    Args:
        in_channels: Channels of an image.
        image_size: Height and width of an image in pixels.
        num_classes: Number of classes.

    Reference:
        Cao et al., FLTrust, NDSS 2021, Table II.

    Example:
        >>> sum(parameter.numel() for parameter in CNN().parameters())
        139960
    """

    def __init__(self, in_channels: int = 1, image_size: int = 28, num_classes: int = 10) -> None:
        super().__init__()
        side = ((image_size - 2) // 2 - 2) // 2
        # Pooling before the ReLU gives the same function, and the ReLU has a quarter of the numbers.
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, 30, kernel_size=3),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(30, 50, kernel_size=3),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(50 * side * side, 100),
            nn.ReLU(),
            nn.Linear(100, num_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Class scores, shape ``[n, num_classes]``, of images, shape ``[n, in_channels, image_size, image_size]``."""
        scores: Tensor = self.layers(features)
        return scores
