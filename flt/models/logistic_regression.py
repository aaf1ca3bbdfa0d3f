"""Multinomial logistic regression."""

from torch import Tensor, nn

from flt.errors import check_count


class LogisticRegression(nn.Module):
    """One linear layer from features to class scores; the paper's model for HAR.

    Weights and biases start at zero: the loss is convex, and every seed then starts from the same point.

    Args:
        num_features: Input features; HAR has 561.
        num_classes: Classes; HAR has 6.
    """

    calls_only_layers = True

    def __init__(self, num_features: int = 561, num_classes: int = 6) -> None:
        super().__init__()
        for name, value in (("num_features", num_features), ("num_classes", num_classes)):
            check_count(f"LogisticRegression: {name}", value)
        self.linear = nn.Linear(num_features, num_classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Class scores, shape ``[n, num_classes]``, of ``features``, shape ``[n, num_features]``."""
        scores: Tensor = self.linear(features.flatten(start_dim=1))
        return scores
