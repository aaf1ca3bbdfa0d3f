"""How A3FL learns a trigger that outlives its own removal."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy

from flt.functional.layout import Piece


def agreement_of_layers(one: Tensor, other: Tensor, layout: Sequence[Piece]) -> float:
    """Mean cosine similarity of two flat vectors over a network's weights, those of more than one dimension.

    Args:
        one: Gradients, say, shape ``[num_params]``.
        other: The same of another model.
        layout: Where each parameter tensor lies. All entries count as one tensor where none has two dimensions.

    Example:
        >>> from flt.functional.layout import layout_of
        >>> layout = layout_of({"weight": (1, 2), "bias": (1,)})
        >>> round(agreement_of_layers(torch.tensor([3.0, 4.0, 9.0]), torch.tensor([3.0, -4.0, 9.0]), layout), 2)
        -0.28
    """
    weights = [piece.place for piece in layout if len(piece.shape) > 1] or [slice(None)]
    cosines = [cosine_similarity(one[place].double(), other[place].double(), dim=0) for place in weights]
    return float(torch.stack(cosines).mean())


def trigger_loss(scores: Tensor, target_class: int, weight: float) -> Tensor:
    """The loss of a trigger: how little two models take triggered examples for the target class.

    ``L(w; x + t) + weight * L(w'; x + t)`` with the cross-entropy L, the global model w, and w', a model that was
    trained to ignore the trigger.

    Args:
        scores: Class scores of w and w', shape ``[2, num_examples, num_classes]``.
        target_class: The target class.
        weight: What the second model counts.

    Example:
        >>> trigger_loss(torch.zeros(2, 5, 4), 0, 0.5).item() == 1.5 * torch.tensor(4.0).log().item()
        True
    """
    labels = torch.full(scores.shape[1:2], target_class, device=scores.device)
    return cross_entropy(scores[0], labels) + weight * cross_entropy(scores[1], labels)


def trigger_step(values: Tensor, gradient: Tensor, *, step: float, low: float, high: float) -> Tensor:
    """The values of a trigger after a step against the sign of their gradient, kept between two bounds.

    Args:
        values: Any shape.
        gradient: The loss's gradient, of the same shape.
        step: Length of the step in each entry.
        low: Smallest value.
        high: Largest value.

    Reference:
        Zhang, Jia, Chen, Lin and Wu, A3FL: Adversarially Adaptive Backdoor Attacks to Federated Learning, NeurIPS 2023.

    Example:
        >>> trigger_step(torch.tensor([0.0, 0.95]), torch.tensor([2.0, -3.0]), step=0.1, low=0.0, high=1.0)
        tensor([0., 1.])
    """
    return (values - step * gradient.sign()).clamp(low, high)
