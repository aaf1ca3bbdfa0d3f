"""How clients train where they do not train as everyone does: loss, mask, projection, start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import grad_and_value

from flt.clients.batches import LocalBatches
from flt.clients.loss import LossReduction, cross_entropy, example_factors
from flt.errors import InputError

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From a client's scores ``[batch_size, num_classes]``, labels ``[batch_size]``, weights of its examples
``[batch_size]`` (1, and 0 for padding) and update so far ``[num_params]`` to one number."""

Projection = Callable[[Tensor], Tensor]
"""From a client's update after a step, shape ``[num_params]``, to the one in its place."""


class Own(NamedTuple):
    """What one client brings along, or a row of it for each of several.

    Attributes:
        start: The update from which it goes on, shape ``[..., num_params]``.
        mask: What its steps are multiplied by, shape ``[..., num_params]``.
        steps: How many of its batches it trains on, shape ``[...]``.
    """

    start: Tensor
    mask: Tensor
    steps: Tensor


@dataclass(frozen=True)
class Recipe:
    """What is another than in the usual training; None stands for as usual.

    Args:
        loss: The loss of a client's batch, for one client and made of torch's operations.
        mask: Factor of each coordinate of a gradient and of what is sent, shape ``[num_params]``, or
            ``[num_clients, num_params]`` of each client.
        project: What becomes of a client's update after each step.
        start: Updates from which the clients go on, shape ``[num_clients, num_params]``.
        start_statistics: The statistics of batch normalisation that come with them, shape
            ``[num_clients, num_statistics]``.
        before: Name of a layer whose input the loss is given in place of the scores; needs a loss.
        ascends: Whether the learning rate is below 0, by which the loss is climbed; usual otherwise.
    """

    loss: Loss | None = None
    mask: Tensor | None = None
    project: Projection | None = None
    start: Tensor | None = None
    start_statistics: Tensor | None = None
    before: str | None = None
    ascends: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether nothing is another but the sign of the learning rate."""
        return all(value is None for name, value in vars(self).items() if name != "ascends")

    @property
    def names(self) -> str:
        """Loss and projection in words, by which training remembers whether they can be vectorised."""
        functions = [getattr(each, "func", each) for each in (self.loss, self.project) if each is not None]
        found = [getattr(each, "__qualname__", type(each).__qualname__) for each in functions]
        place = "" if self.before is None else f" before {self.before}"
        return f" with {' and '.join(found)}{place}" if found else ""

    def own(self, batches: LocalBatches, parameters: Tensor) -> Own:
        """What each client of these batches brings along, a row for each.

        Args:
            batches: What they train on.
            parameters: The global model's, shape ``[num_params]``.
        """
        shape = len(batches.labels), len(parameters)
        mask = parameters.new_ones(1) if self.mask is None else self.mask.to(parameters)
        start = parameters.new_zeros(shape) if self.start is None else self.start
        return Own(start, mask.expand(shape), (batches.sizes > 0).sum(dim=1).to(parameters.device))

    def gradients(
        self, scores: Tensor, labels: Tensor, weights: Tensor | None, update: Tensor, reduction: LossReduction
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """What a client's loss says of its scores and of its update.

        Args:
            scores: Shape ``[batch_size, num_classes]``.
            labels: Shape ``[batch_size]``.
            weights: 1 for an example, 0 for padding, shape ``[batch_size]``; None where nothing is padded.
            update: The client's update so far, shape ``[num_params]``.
            reduction: What the usual loss is over a batch.

        Returns:
            The gradient at the scores; the gradient at the update, but for what comes by way of the scores, None for
            none; the usual loss of each example, or the client's own for each where scores are none.
        """
        if self.loss is None:
            usual, losses = cross_entropy(scores, labels)
            return usual * example_factors(weights, reduction, batch_size=len(labels)), None, losses
        weights = torch.ones_like(labels, dtype=torch.float32) if weights is None else weights
        own = grad_and_value(self._number, argnums=(0, 3))
        (at_scores, at_update), number = own(scores.float(), labels, weights, update)
        losses = cross_entropy(scores, labels)[1] if self.before is None else number.float().expand(len(labels))
        return at_scores, at_update, losses

    def moved(self, update: Tensor, step: Tensor, mask: Tensor) -> Tensor:
        """A client's update after a step, each of shape ``[num_params]``."""
        after = update + mask * step
        if self.project is None:
            return after
        projected = self.project(after)
        if not isinstance(projected, Tensor) or projected.shape != after.shape:
            raise InputError(f"project returned {_shown(projected)}: give a tensor like the update, {_shown(after)}")
        return mask * projected

    def _number(self, *given: Tensor) -> Tensor:
        """The loss of a client's batch, if it is one number."""
        assert self.loss is not None
        loss = self.loss(*given)
        if not isinstance(loss, Tensor) or loss.shape != () or not loss.is_floating_point():
            raise InputError(f"loss returned {_shown(loss)}: give one number of a client's batch, with its gradient")
        return loss


def _shown(value: object) -> str:
    return f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


USUAL = Recipe()
"""Training as everyone does."""
