"""Which examples of a class look least like it, for the edge-case backdoor."""

import torch
from torch import Tensor


def least_confident(features: Tensor, labels: Tensor, source_class: int, *, share: float) -> Tensor:
    """Which examples of a class a simple model has the least confidence in.

    The model takes each class for a Gaussian with a mean of its own and variances v_j of the features that all classes
    share; p_c is a class's share of the examples. Its logarithmic odds of class c are
    ``log p_c - sum_j (x_j - mean_cj)^2 / (2 v_j)``.

    Args:
        features: Examples, shape ``[num_examples, *shape]``.
        labels: Their classes, counted from 0, shape ``[num_examples]``.
        source_class: The class.
        share: Share of its examples to mark, from 0 to 1; one at the least.

    Returns:
        Boolean, shape ``[num_examples]``; False everywhere if the class has no example.

    Reference:
        Wang et al., Attack of the Tails: Yes, You Really Can Backdoor Federated Learning, NeurIPS 2020, whose edge
        cases come from outside.

    Example:
        >>> features = torch.tensor([[0.0], [1.0], [4.0], [9.0], [10.0]])
        >>> least_confident(features, torch.tensor([0, 0, 0, 1, 1]), 0, share=0.3)
        tensor([False, False,  True, False, False])
    """
    chosen = torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
    rows = (labels == source_class).nonzero().flatten()
    if len(rows):
        confidence = _log_confidence(features.flatten(1), labels, rows)
        chosen[rows[confidence.argsort(stable=True)[: max(1, round(share * len(rows)))]]] = True
    return chosen


def _log_confidence(features: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
    """The model's logarithmic probability of the right class of some examples, float64 of shape ``[num_rows]``."""
    num_classes = int(labels.max()) + 1
    counts = labels.bincount(minlength=num_classes).double()
    means = features.new_zeros(num_classes, features.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(means[0])
    for block, classes in zip(
        torch.split(features, 4096), torch.split(labels, 4096), strict=True
    ):  # float64 takes twice the memory
        means.index_add_(0, classes, block.double())
    means /= counts.clamp(min=1)[:, None]
    for block, classes in zip(torch.split(features, 4096), torch.split(labels, 4096), strict=True):
        squares += (block.double() - means[classes]).square_().sum(dim=0)
    variances = squares / len(labels)
    # A feature that is constant in every class would have an infinite say.
    variances = variances.clamp(min=max(1e-3 * float(variances.mean()), torch.finfo(torch.float64).tiny))
    scaled, centers = features[rows].double() / variances, means
    odds = scaled @ centers.T - (centers.square() / variances).sum(dim=1) / 2 + counts.log()
    return odds.log_softmax(dim=1).gather(1, labels[rows][:, None])[:, 0]
