"""The server's training in a federation that a configuration describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from flt.clients.one_by_one import LocalUpdates
from flt.federation import Server
from flt.flower.tensors import take_tensors
from flt.module import FederatedModule


class ConfiguredRoot:
    """The server of a configuration: it trains on the root dataset and computes what rules ask.

    Args:
        module: The server of the simulator, set up.
    """

    def __init__(self, module: FederatedModule) -> None:
        self._module = module
        self.num_examples = len(module.data.root)

    def update(self, state: Mapping[str, Tensor], number: int) -> LocalUpdates:
        """By how much training changes the model, as the simulator's server trains."""
        take_tensors(self._module.network, state)
        cohort = self._module.cohort
        batches = cohort.root_batches(replace(cohort.draws, needs_root=True)(number))
        with torch.enable_grad():
            return cohort.training(batches, client_lr=self._module.round_lr(number))

    def server(self, state: Mapping[str, Tensor], number: int) -> Server:
        """What a round's rule can ask."""
        take_tensors(self._module.network, state)
        cohort, lr = self._module.cohort, self._module.round_lr(number)
        assert cohort.root_data is not None, "made where the rule needs it"
        return cohort.root_data.of(number, lr, cohort.training.flat.flatten())
