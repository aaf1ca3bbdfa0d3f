"""Neurotoxin as a callback."""

from functools import partial
from typing import Any, Literal

from torch import Tensor

from callbacks.attacks.backdoors.own_training import OwnTraining
from flt.errors import InputError, check_choice, check_positive
from flt.federation import Federation, LocalUpdates, LocalWork, Memory, Round, by_client
from flt.functional.attacks.backdoors import least_moved, model_replacement, project

Source = Literal["global_step", "own_gradient"]


class Neurotoxin(OwnTraining):
    """A durable backdoor: malicious clients train it into the coordinates that benign clients hardly move.

    Args:
        ratio: Fraction r of the coordinates that they train: those that are moved least.
        mask_from: What tells how coordinates are moved: the global model's last step ("global_step"), or what a
            malicious client would honestly learn in the round ("own_gradient").
        max_norm: Largest length of what is trained, as after each step; null for any.
        scale: Factor of what is sent.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Zhang, Panda et al., Neurotoxin: Durable Backdoors in Federated Learning, ICML 2022.

    Reading:
        Coordinates of all layers are compared with each other. The authors' code takes gradients of 30 benign clients'
        data, which an attacker does not have; its own data stand in for them here. In the first round, and wherever the
        model has not moved, all coordinates are trained.
    """

    def __init__(
        self,
        ratio: float = 0.95,
        mask_from: Source = "global_step",
        max_norm: float | None = None,
        scale: float = 1.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not 0 < ratio < 1:
            raise InputError(f"attack.ratio={ratio} must be above 0 and below 1")
        check_choice("attack.mask_from", mask_from, Source)
        if max_norm is not None:
            check_positive("attack.max_norm", max_norm)
        check_positive("attack.scale", scale)
        self.ratio = ratio
        self.mask_from: Source = mask_from
        self.max_norm = max_norm
        self.scale = scale

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The global model and its last step."""
        return 2 * num_params if self.mask_from == "global_step" else 0

    def prepare(self, local: LocalWork) -> Memory | None:
        """Observes the global model's last step."""
        if self.mask_from != "global_step":
            return None
        before = local.memory.get("parameters", local.parameters)
        return {"parameters": local.parameters, "step": local.parameters - before}

    def train(self, local: LocalWork) -> LocalUpdates:
        """Trains the coordinates that are moved least."""
        by_step = self.mask_from == "global_step"
        reference = local.memory["step"] if by_step else local.sgd(local.honest).updates
        bounded = None if self.max_norm is None else partial(project, radius=self.max_norm)
        return self.trained(local, mask=least_moved(reference, ratio=self.ratio), project=bounded)

    @by_client
    def craft(self, round: Round) -> Tensor | None:
        """Scales what was trained."""
        return None if self.scale == 1.0 else model_replacement(round.updates, round.malicious, scale=self.scale)
