"""The loss by which Chameleon moves a backdoor's examples to where those of the target class are."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def supervised_contrastive_loss(
    features: Tensor,
    labels: Tensor,
    weights: Tensor,
    *,
    target_class: int,
    target_weight: float = 6.0,
    temperature: float = 0.07,
) -> Tensor:
    """The supervised contrastive loss of a batch, in which examples of the target class count more.

    With the features z of length 1, the others A(i) of example i, and those of them that have its label, P(i), the loss
    is the mean over examples of

    ``-c_i mean_{p in P(i)} log(exp(z_i . z_p / temperature) / sum_{a in A(i)} exp(z_i . z_a / temperature))``

    with ``c_i = target_weight`` for the target class and 1 for others; an example alone with its label counts 0.

    Args:
        features: Shape ``[batch_size, width]``.
        labels: Shape ``[batch_size]``.
        weights: 1 for an example, 0 for padding, shape ``[batch_size]``.
        target_class: The backdoor's class.
        target_weight: What its examples count.
        temperature: Above 0; the smaller, the more the nearest examples count.

    Reference:
        Khosla et al., Supervised Contrastive Learning, NeurIPS 2020; Dai and Li, Chameleon: Adapting to Peer Images for
        Planting Durable Backdoors in Federated Learning, ICML 2023.

    Example:
        >>> features, labels = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 1])
        >>> loss = supervised_contrastive_loss(features, labels, torch.ones(3), target_class=1, temperature=1.0)
        >>> round(loss.item(), 4)  # 2 / 3 of log(1 + 1 / e)
        0.2088
    """
    unit = normalize(features, dim=1)
    present = weights[:, None] * weights * (1 - torch.eye(len(labels), device=labels.device))
    with torch.autocast(features.device.type, enabled=False):  # where a product would be in half precision
        similarities = unit @ unit.T / temperature
    # Of absent ones nothing may enter; an example without any other has no positive either.
    others = similarities.masked_fill(present == 0, torch.finfo(unit.dtype).min).logsumexp(dim=1, keepdim=True)
    positive = present * (labels[:, None] == labels)
    counts = positive.sum(dim=1)
    each = -(positive * (similarities - others)).sum(dim=1) / counts.clamp(min=1)
    factors = torch.where(labels == target_class, target_weight, 1.0)
    return (factors * each).sum() / weights.sum().clamp(min=1)
