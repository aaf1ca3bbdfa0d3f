"""Projection of an update into a ball."""

from typing import Literal

from torch import Tensor

from flt.errors import check_choice

Norm = Literal["l2", "linf"]


def project(update: Tensor, *, radius: float, norm: Norm = "l2") -> Tensor:
    """The nearest vector of a ball around zero: ``g min(1, radius / |g|_2)``, or each entry within +-radius ("linf").

    Args:
        update: Shape ``[num_params]``.
        radius: Of the ball, 0 or more.
        norm: "l2" or "linf".

    Returns:
        A new tensor of the same shape; zero stays zero.

    Reference:
        Wang et al., Attack of the Tails: Yes, You Really Can Backdoor Federated Learning, NeurIPS 2020.

    Example:
        >>> import torch
        >>> project(torch.tensor([3.0, 4.0, 0.0]), radius=2.0)
        tensor([1.2000, 1.6000, 0.0000])
        >>> project(torch.tensor([3.0, -4.0, 0.0]), radius=2.0, norm="linf")
        tensor([ 2., -2.,  0.])
    """
    check_choice("norm", norm, Norm)
    if norm == "linf":
        return update.clamp(-radius, radius)
    smallest = 1e-30  # below it float32 has no more digits; a zero update is multiplied by anything
    factor: Tensor = radius / update.norm().clamp(min=smallest)
    return update * factor.clamp(max=1.0)
