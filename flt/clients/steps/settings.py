"""How everyone trains: the settings that all clients share, and that stay the same for a whole run."""

from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from flt.clients.loss import LossReduction
from flt.clients.steps.momentum import MomentumScaling
from flt.clients.steps.optimizers import MakeOptimizer, OptimizerState
from flt.errors import InputError, check_choice, check_not_negative, check_positive


@dataclass(frozen=True)
class LocalSettings:
    """How all clients train on their batches, and the server on its root dataset.

    Args:
        loss_reduction: Whether the batch loss is the "sum" over its examples or their "mean".
        weight_decay: Factor of the weights in what is added to every gradient.
        momentum: Factor of each client's momentum (beta), which it keeps over rounds; 0 for none.
        momentum_scaling: ``m <- beta m + g`` ("none") or ``m <- beta m + (1 - beta) g`` ("damped").
        optimizer: Makes the optimizer of a client's parameters; None for steps along the gradient or the momentum.
        optimizer_state: Whether optimizers are made anew in every round ("fresh") or go on from the last one ("kept").
        proximal: Factor mu of ``mu / 2 * ||w_i - w||^2``, which is added to every usual loss.
        clip_gradient: Longest gradient of a client's step, before weight decay and momentum; None for any length.

    Raises:
        InputError: If one of them is out of range, or does not go with another.
    """

    loss_reduction: LossReduction = "sum"
    weight_decay: float = 0.0
    momentum: float = 0.0
    momentum_scaling: MomentumScaling = "none"
    optimizer: MakeOptimizer | None = None
    optimizer_state: OptimizerState = "fresh"
    proximal: float = 0.0
    clip_gradient: float | None = None

    def __post_init__(self) -> None:
        check_choice("model.loss_reduction", self.loss_reduction, LossReduction)
        check_choice("model.momentum_scaling", self.momentum_scaling, MomentumScaling)
        check_choice("model.client_optimizer_state", self.optimizer_state, OptimizerState)
        check_not_negative("model.client_weight_decay", self.weight_decay)
        check_not_negative("model.proximal", self.proximal)
        if self.clip_gradient is not None:
            check_positive("model.clip_gradient", self.clip_gradient)
        if not 0 <= self.momentum < 1:
            raise InputError(f"model.client_momentum={self.momentum} must be at least 0 and less than 1")
        if self.momentum_scaling != "none" and not self.momentum:
            rank_zero_warn(
                f"model.momentum_scaling={self.momentum_scaling} has no effect without model.client_momentum"
            )
        if self.optimizer is None:
            if self.optimizer_state != "fresh":
                rank_zero_warn("model.client_optimizer_state=kept has no effect without model.client_optimizer")
            return
        if not callable(self.optimizer):
            raise InputError(
                f"model.client_optimizer is a {type(self.optimizer).__name__}: give a class, or a function from"
                " parameters to an optimizer"
            )
        for name in ("momentum", "weight_decay"):
            if getattr(self, name):
                raise InputError(
                    f"model.client_{name}={getattr(self, name)} does not go with model.client_optimizer: set the"
                    f" optimizer's own {name}, if it has one"
                )

    @property
    def keeps_optimizers(self) -> bool:
        """Whether each client's optimizer goes on from the last round."""
        return self.optimizer_state == "kept"

    @property
    def changes_gradients(self) -> bool:
        """Whether steps go along anything but the gradient of the loss."""
        return self.weight_decay > 0 or self.proximal > 0 or self.clip_gradient is not None

    def direction(
        self,
        gradient: Tensor,
        parameters: Tensor,
        update: Tensor | None = None,
        *,
        usual_loss: bool = True,
        ascends: bool = False,
    ) -> Tensor:
        """What clients go against in a step: ``clip(g + proximal * (w_i - w)) + weight_decay * w_i``.

        As in a loop of torch's: the proximal term is of the loss, `torch.nn.utils.clip_grad_norm_` comes behind the
        backward pass, ``clip(g) = g * min(1, C / (||g|| + 1e-6))``, and weight decay is the optimizer's.

        Args:
            gradient: Of the loss at ``w_i``, shape ``[..., num_params]``; it may be overwritten.
            parameters: The global model's, w, shape ``[num_params]``.
            update: Where the clients are by now, ``w_i - w``, of the gradient's shape; None for at the start.
            usual_loss: Whether the gradient is of the usual loss; an attack's own has no proximal term beside it.
            ascends: Whether the learning rate is below 0, so that clients go along it: they climb the loss, and the two
                terms beside it, with the other sign, hold them back as ever.

        Reference:
            Li et al., Federated Optimization in Heterogeneous Networks (FedProx), MLSys 2020.
        """
        sign = -1.0 if ascends else 1.0
        if self.proximal and update is not None and usual_loss:
            gradient.add_(update, alpha=sign * self.proximal)
        if self.clip_gradient is not None:
            lengths = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
            gradient.mul_((self.clip_gradient / (lengths + 1e-6)).clamp_(max=1.0))
        if self.weight_decay:
            gradient.add_(parameters if update is None else parameters + update, alpha=sign * self.weight_decay)
        return gradient

    def penalty(self, update: Tensor) -> Tensor | float:
        """The proximal term of a client's loss, ``proximal / 2 * ||w_i - w||^2``, given ``w_i - w``."""
        return self.proximal / 2 * update.square().sum() if self.proximal else 0.0

    def plain(self) -> dict[str, Any]:
        """All of them by the names that users give them, as plain values, to tell runs apart that train differently."""
        return {
            "loss_reduction": self.loss_reduction,
            "client_weight_decay": self.weight_decay,
            "client_momentum": self.momentum,
            "momentum_scaling": self.momentum_scaling,
            "client_optimizer_state": self.optimizer_state,
            "proximal": self.proximal,
            "clip_gradient": self.clip_gradient,
        }


USUAL_SETTINGS = LocalSettings()
"""Plain steps on the sum of a batch's losses."""
