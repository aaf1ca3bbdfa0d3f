"""Networks: logistic regression, and whatever `torch.nn.Module` the user brings."""

from flt.models.logistic_regression import LogisticRegression
from flt.models.network import Network

__all__ = ["LogisticRegression", "Network"]
