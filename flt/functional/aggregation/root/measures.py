"""What class scores on the root dataset say of a model: loss, error, doubt."""

import torch
from torch import Tensor


def mean_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each model on the root dataset; infinite where scores are not finite.

    Args:
        logits: Class scores, shape ``[num_models, num_examples, num_classes]``.
        labels: Shape ``[num_examples]``.

    Returns:
        Float64, shape ``[num_models]``.

    Example:
        >>> mean_losses(torch.zeros(1, 3, 2), torch.tensor([0, 1, 1]))
        tensor([0.6931], dtype=torch.float64)
    """
    losses = -logits.double().log_softmax(dim=2).gather(2, labels.expand(len(logits), -1)[..., None])
    return losses.mean(dim=(1, 2)).nan_to_num(nan=torch.inf)


def error_rates(logits: Tensor, labels: Tensor) -> Tensor:
    """Part of the root dataset that each model takes for another class, float64, shape ``[num_models]``."""
    return (logits.argmax(dim=2) != labels).double().mean(dim=1)


def mean_entropies(logits: Tensor) -> Tensor:
    """Mean entropy of each model's predictions, float64, shape ``[num_models]``; infinite where they are not finite.

    Example:
        >>> mean_entropies(torch.zeros(1, 3, 2))
        tensor([0.6931], dtype=torch.float64)
    """
    logarithms = logits.double().log_softmax(dim=2)
    terms = torch.where(logarithms == -torch.inf, 0.0, logarithms.exp() * logarithms)
    return -terms.sum(dim=2).mean(dim=1).nan_to_num(nan=-torch.inf)
