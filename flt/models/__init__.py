"""Networks: logistic regression, and whatever `torch.nn.Module` the user brings."""

from flt.models.logistic_regression import LogisticRegression

__all__ = ["LogisticRegression"]
