"""The paper's networks and those of other comparisons; any other `torch.nn.Module` to class scores does as well."""

from torch import nn

from flt.models.cnn import CNN
from flt.models.fully_connected import FullyConnected
from flt.models.logistic_regression import LogisticRegression
from flt.models.published_cnns import BucketingCNN, ByzFLCNN
from flt.models.resnet20 import ResNet20

__all__ = ["CNN", "BucketingCNN", "ByzFLCNN", "FullyConnected", "LogisticRegression", "ResNet20"]

Network = nn.Module
"""The base class that networks of users had to name in version 0.1."""
