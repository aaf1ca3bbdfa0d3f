"""Fully connected networks."""

from itertools import pairwise

from torch import Tensor, nn

from flt.errors import InputError, check_count


class FullyConnected(nn.Module):
    """Fully connected layers with ReLU between them, from features to class scores.

    With 784 features, one hidden layer of 512 and 10 classes it is the network for MNIST of Shejwalkar and Houmansadr
    (NDSS 2021), of 407,050 parameters. Images are taken as one row of pixels.

    Args:
        num_features: Input features, of an image its channels times its pixels.
        hidden: Features of each hidden layer; without any it is a linear model.
        num_classes: Number of classes.

    Raises:
        InputError: If a number is below 1.

    Example:
        >>> sum(parameter.numel() for parameter in FullyConnected().parameters())
        407050
    """

    calls_only_layers = True

    def __init__(self, num_features: int = 784, hidden: list[int] | None = None, num_classes: int = 10) -> None:
        super().__init__()
        hidden = [512] if hidden is None else hidden
        for name, value in (("num_features", num_features), ("num_classes", num_classes)):
            check_count(f"FullyConnected: {name}", value)
        if any(width < 1 for width in hidden):
            raise InputError(f"FullyConnected: hidden={hidden}: a layer has 1 feature or more")
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([num_features, *hidden, num_classes]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(nn.Flatten(), *layers[:-1])

    def forward(self, features: Tensor) -> Tensor:
        """Class scores, shape ``[n, num_classes]``, of examples of ``num_features`` numbers each."""
        scores: Tensor = self.layers(features)
        return scores
