"""Trapsetter as a callback."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from flt.clients.batches import LocalBatches
from flt.errors import check_count, check_positive
from flt.federation import Attack, Federation, LocalWork, Memory, Round
from flt.functional.attacks.omniscient.trapsetter import lowest_step, trapsetter


class Trapsetter(Attack):
    """Malicious clients replace the global model by the worst one that they find near it.

    They evaluate 25 models around the global one on the examples that they would train on.

    Args:
        scale: How far the plain mean of all updates goes towards that model; 1 is there.
        radius: How far from the global model they look, in lengths of each of its parameter tensors.
        interval: Rounds after which they look again.

    Raises:
        InputError: If an argument is out of range.

    Reading:
        The models lie on a grid along two normal directions, drawn anew each time; the first of those that are equally
        bad is taken. The defaults of ``radius`` and ``interval`` are ours. The mean is plain; that of FedAvg is
        weighted by examples. Under partial knowledge the mean of the malicious clients' own honest updates stands for
        that of the benign ones.

    Reference:
        Yue, Jin, Wong and Dai, Advancing Hybrid Defense for Byzantine Attacks in Federated Learning, arXiv 2409.06474,
        2024.
    """

    uses_knowledge = True

    def __init__(self, scale: float = 1.0, radius: float = 1.0, interval: int = 10, **settings: Any) -> None:
        super().__init__(**settings)
        check_positive("attack.scale", scale)
        check_positive("attack.radius", radius)
        check_count("attack.interval", interval)
        self.scale, self.radius, self.interval = scale, radius, interval

    def numbers_kept(self, federation: Federation, num_params: int) -> int:
        """The model that is to replace the global one."""
        return num_params

    def prepare(self, local: LocalWork) -> Memory | None:
        """Looks for a bad model, where it is time to."""
        is_early = "target" in local.memory and local.number < local.memory["found"] + self.interval
        if is_early or not len(local.client_ids):
            return None
        model = local.parameters
        directions = torch.randn(2, len(model), generator=local.generator("Trapsetter")).to(model)
        accuracy = partial(accuracy_of, local, local.batches)
        step = lowest_step(model, directions, local.federation.layout, accuracy, radius=self.radius)
        return {"target": model + step, "found": local.number}

    def craft(self, round: Round) -> Tensor | None:
        """Applies `flt.functional.attacks.omniscient.trapsetter`."""
        if "target" not in round.memory:  # nobody has attacked yet
            return None
        step = round.memory["target"] - round.parameters
        return trapsetter(
            round.updates,
            round.malicious,
            step,
            knowledge=self.knowledge,
            scale=self.scale,
            num_clients=round.num_participants,
        )


def accuracy_of(local: LocalWork, batches: LocalBatches, step: Tensor) -> float:
    """Share of the batches' examples that the model ``w + step`` is right about; 0 where there are none."""
    right = local.logits(step, batches.features.flatten(0, 2)).argmax(dim=1) == batches.labels.flatten()
    weights = torch.ones_like(right).float() if batches.weights is None else batches.weights.flatten()
    return float((right * weights).sum() / weights.sum().clamp(min=1.0))
