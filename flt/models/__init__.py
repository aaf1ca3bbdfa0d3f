"""The paper's three networks; any other `torch.nn.Module` from features to class scores does as well."""

from torch import nn

from flt.models.cnn import CNN
from flt.models.logistic_regression import LogisticRegression
from flt.models.resnet20 import ResNet20

__all__ = ["CNN", "LogisticRegression", "ResNet20"]

Network = nn.Module
"""The base class that networks of users had to name in version 0.1."""
