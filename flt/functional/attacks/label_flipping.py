"""Label flipping, the attack on data."""

from torch import Tensor


def flip_labels(labels: Tensor, num_classes: int) -> Tensor:
    """Label ``num_classes - 1 - l`` for each label l.

    Args:
        labels: Labels in ``[0, num_classes)``, any shape.
        num_classes: Number of classes M.

    Returns:
        Flipped labels, a new tensor of the same shape.

    Reference:
        Cao et al., FLTrust, NDSS 2021, section VI-A.

    Example:
        >>> import torch
        >>> flip_labels(torch.tensor([0, 1, 5]), 6)
        tensor([5, 4, 0])
    """
    return num_classes - 1 - labels
