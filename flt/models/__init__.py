"""Networks: the paper's three, and what counts as one of the user's own."""

from flt.models.cnn import CNN
from flt.models.logistic_regression import LogisticRegression
from flt.models.network import Network
from flt.models.resnet20 import ResNet20

__all__ = ["CNN", "LogisticRegression", "Network", "ResNet20"]
