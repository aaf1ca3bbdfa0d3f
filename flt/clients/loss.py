"""The loss that clients minimise: cross-entropy over a padded batch."""

from typing import Literal

import torch
from torch import Tensor

LossReduction = Literal["sum", "mean"]


def cross_entropy(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each example and its gradient with respect to the scores, softmax minus one-hot.

    Written out, because a backward pass for so little costs more than its arithmetic.

    Args:
        scores: Shape ``[..., num_classes]``.
        labels: Shape ``[...]``.

    Returns:
        The gradient, float32 of the shape of ``scores``, and the losses, of the shape of ``labels``.
    """
    # Classes first: a softmax over a short last dimension does not use a processor's vector units.
    logarithms = scores.float().movedim(-1, 0).log_softmax(dim=0)
    losses = -logarithms.gather(0, labels[None])[0]
    classes = torch.arange(len(logarithms), device=scores.device).view(-1, *[1] * labels.dim())
    gradient = logarithms.exp().add_(classes == labels, alpha=-1)
    return gradient.movedim(0, -1), losses


def example_factors(weights: Tensor | None, reduction: LossReduction, *, batch_size: int) -> Tensor | float:
    """Returns each example's factor in its client's loss: a number, or a tensor of shape ``[..., batch_size, 1]``.

    Args:
        weights: 1 for an example, 0 for padding, shape ``[..., batch_size]``; None where nothing is padded.
        reduction: Whether the loss is the "sum" over a batch or its "mean".
        batch_size: Examples in a batch, with the padding.
    """
    if weights is None:
        return 1.0 if reduction == "sum" else 1.0 / batch_size
    return (weights if reduction == "sum" else weights / _count(weights)[..., None])[..., None]


def batch_loss(scores: Tensor, labels: Tensor, weights: Tensor, reduction: LossReduction) -> Tensor:
    """The loss that clients usually minimise, a number with a gradient at the scores.

    Args:
        scores: Shape ``[batch_size, num_classes]``.
        labels: Shape ``[batch_size]``.
        weights: Factor of each example, such as 1, and 0 for padding, shape ``[batch_size]``.
        reduction: Whether it is the "sum" over the batch or its "mean".

    Example:
        >>> batch_loss(torch.zeros(2, 4), torch.tensor([0, 3]), torch.tensor([1.0, 0.0]), "mean")
        tensor(1.3863)
    """
    losses = torch.nn.functional.cross_entropy(scores.float(), labels, reduction="none")
    total = (losses * weights).sum()
    return total if reduction == "sum" else total / _count(weights)


def mean_loss(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of a batch's losses, shape ``[..., batch_size]``, without its padding; 0 for a batch of padding alone.

    Args:
        losses: The loss of each example.
        weights: 1 for an example, 0 for padding, of the same shape; None where nothing is padded.
    """
    return losses.mean(dim=-1) if weights is None else (losses * weights).sum(dim=-1) / _count(weights)


def _count(weights: Tensor) -> Tensor:
    return weights.sum(dim=-1).clamp(min=1.0)
