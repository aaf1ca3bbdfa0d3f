"""Scores of several versions of the global model on the same examples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import vmap

from flt.clients import layerwise
from flt.clients.batch_norm import statistics_moved
from flt.clients.conduct import Conduct, copied, observe
from flt.clients.flat_network import FlatNetwork
from flt.clients.training import AUTO_CHUNK


@dataclass(frozen=True)
class Evaluation:
    """Evaluates a network with other parameters than its own; the network stays as it is.

    Versions share a pass where the network is a chain of known layers; otherwise they come one after the other.

    Args:
        flat: The network.
    """

    flat: FlatNetwork

    def __call__(
        self, parameters: Tensor, features: Tensor, statistics: dict[str, Tensor], changes: Tensor | None = None
    ) -> Tensor:
        """Class scores as in an evaluation, with gradients where parameters or features require them.

        Args:
            parameters: A version in each row, shape ``[num_versions, num_params]``.
            features: Examples as the network sees them, shape ``[num_examples, *shape]``.
            statistics: The running statistics of batch normalisation, by name.
            changes: By how much each version's differ from them, shape ``[num_versions, num_statistics]``; None for not
                at all.

        Returns:
            Shape ``[num_versions, num_examples, num_classes]``.
        """
        needs_gradients = parameters.requires_grad or features.requires_grad
        with torch.set_grad_enabled(needs_gradients), evaluation_mode(self.flat.network):
            if len(parameters) > 1 and layerwise.supports(self.flat.network):
                per_version = max(self.flat.num_params, features.numel())
                chunk = AUTO_CHUNK.get(features.device.type, AUTO_CHUNK["cpu"]) // per_version
                return vmap(lambda own: self._scores(own, features, {}), chunk_size=max(1, chunk))(parameters)
            conduct = self._conduct(features)
            moved = [statistics] * len(parameters)
            if statistics and changes is not None:
                moved = [statistics_moved(statistics, change) for change in changes]
            return torch.stack([self._one(*pair, features, conduct) for pair in zip(parameters, moved, strict=True)])

    def _one(self, parameters: Tensor, statistics: dict[str, Tensor], features: Tensor, conduct: Conduct) -> Tensor:
        with conduct.state_kept(self.flat.network):
            return self._scores(parameters, conduct.given(features), statistics)

    def _scores(self, parameters: Tensor, features: Tensor, statistics: dict[str, Tensor]) -> Tensor:
        return self.flat.scores({**self.flat.unflatten(parameters), **statistics}, features).float()

    def _conduct(self, features: Tensor) -> Conduct:
        if not self._conducts:
            with torch.no_grad():
                self._conducts.append(observe(copied(self.flat.network), features[:2].detach())[1])
        return self._conducts[0]

    @cached_property
    def _conducts(self) -> list[Conduct]:
        return []


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Has every layer behave as in an evaluation, and then as before."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
