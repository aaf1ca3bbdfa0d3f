"""Gradients of a network whose gradients at the scores are known already."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class _Known(torch.autograd.Function):
    """A number whose gradients are what they are said to be."""

    @staticmethod
    def forward(ctx: Any, at_outputs: Sequence[Tensor], *outputs: Tensor) -> Tensor:
        ctx.at_outputs = at_outputs
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        return None, *ctx.at_outputs


def gradients(
    outputs: Sequence[Tensor], at_outputs: Sequence[Tensor], inputs: Sequence[Tensor], **settings: Any
) -> tuple[Tensor, ...]:
    """The gradients that follow from those at the outputs of a computation.

    They are those of ``torch.autograd.grad(outputs, inputs, at_outputs)``, which compares shapes by means of SymPy: to
    import that takes a tenth of a short run's start.

    Args:
        outputs: What was computed.
        at_outputs: The gradient at each output, of its shape and type.
        inputs: From what; a gradient is wanted for each.
        settings: Of `torch.autograd.grad`.

    Example:
        >>> weight = torch.tensor([2.0, 3.0], requires_grad=True)
        >>> gradients([weight**2], [torch.tensor([1.0, 10.0])], [weight])
        (tensor([ 4., 60.]),)
    """
    return torch.autograd.grad(_Known.apply(at_outputs, *outputs), inputs, **settings)
