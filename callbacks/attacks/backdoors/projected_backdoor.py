"""A norm-bounded backdoor as a callback."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from callbacks.attacks.backdoors.own_training import OwnTraining
from flt.errors import check_choice, check_positive
from flt.federation import LocalUpdates, LocalWork, Memory, Round, by_client
from flt.functional.attacks.backdoors import model_replacement, project
from flt.functional.attacks.backdoors.projection import Norm


class ProjectedBackdoor(OwnTraining):
    """A backdoor trained by projected gradient descent: malicious updates are no longer than honest ones.

    Args:
        bound: Largest length of what is sent (M); null is the mean length of the updates that the malicious clients of
            the round would honestly send.
        norm: Length in which it is bounded: "l2", or "linf" for each entry.
        boost: Factor of what is sent (gamma); training is bounded by ``bound / boost``.

    Raises:
        InputError: If an argument is out of range.

    Reference:
        Sun et al., Can You Really Backdoor Federated Learning?, 2019; Wang et al., Attack of the Tails: Yes, You Really
        Can Backdoor Federated Learning, NeurIPS 2020.

    Reading:
        Updates are projected after every step, and before they are boosted, so that what is sent keeps the bound.
    """

    def __init__(self, bound: float | None = None, norm: Norm = "l2", boost: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        if bound is not None:
            check_positive("attack.bound", bound)
        check_choice("attack.norm", norm, Norm)
        check_positive("attack.boost", boost)
        self.bound = bound
        self.norm: Norm = norm
        self.boost = boost

    def prepare(self, local: LocalWork) -> Memory | None:
        """Measures how long honest updates of the malicious clients are."""
        if self.bound is not None or not len(local.client_ids):
            return None
        honest = local.sgd(local.honest).updates
        lengths = torch.linalg.vector_norm(honest, ord=2 if self.norm == "l2" else torch.inf, dim=1)
        return {"bound": float(lengths.double().mean())}

    def train(self, local: LocalWork) -> LocalUpdates:
        """Projects after every step."""
        bound = local.memory["bound"] if self.bound is None else self.bound
        return self.trained(local, project=partial(project, radius=bound / self.boost, norm=self.norm))

    @by_client
    def craft(self, round: Round) -> Tensor | None:
        """Boosts what was trained."""
        return None if self.boost == 1.0 else model_replacement(round.updates, round.malicious, scale=self.boost)
