"""Worker momentum: each client's own, kept by its id over all rounds in which it takes part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from flt.clients.steps.base import Closure, Kept, Steps

MomentumScaling = Literal["none", "damped"]

# Numbers of a block of rows that stay in a processor's cache between two passes over them.
BLOCK = 2**17


@dataclass(frozen=True)
class Momentum(Steps):
    """Steps along each client's momentum: ``w_i <- w_i - lr * m_i``.

    Args:
        rows: Everyone's momenta, shape ``[num_kept, num_params]``; they change in place.
        places: The rows that are the clients' own, shape ``[num_clients]``, on the CPU.
        beta: Factor of the momentum.
        damped: Whether gradients are scaled by ``1 - beta``.
        alone: Clients whose momentum is their last gradient, boolean of shape ``[num_clients]``; None for nobody.

    Reference:
        Karimireddy et al., Learning from History for Byzantine Robust Optimization, ICML 2021 (damped); their code for
        Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022, has "none", as torch's SGD.
    """

    rows: Tensor
    places: Tensor
    beta: float
    damped: bool
    alone: Tensor | None = None

    def of(self, clients: slice) -> "Momentum":
        """Those of some of the clients."""
        return replace(self, places=self.places[clients], alone=None if self.alone is None else self.alone[clients])

    def copied(self, clients: Tensor) -> "Momentum":
        """Those of some of the clients, in rows of their own."""
        rows = self.rows[self.places[clients].to(self.rows.device)]
        alone = None if self.alone is None else self.alone[clients]
        return replace(self, rows=rows, places=torch.arange(len(clients)), alone=alone)

    def step(self, gradients: Tensor, places: Tensor, lr: float, closure: Closure | None = None) -> Tensor:
        """Moves the momenta by the gradients, and returns ``-lr * m_i`` in their place."""
        exempt = None if self.alone is None or not self.alone.any() else self.alone.nonzero().flatten()
        own = None if exempt is None else gradients[exempt.to(gradients.device)]
        for some, kept in self._neighbours(max(1, BLOCK // max(1, gradients.shape[1]))):
            move(self.rows[kept], gradients[some], self.beta, damped=self.damped)
            torch.mul(self.rows[kept], -lr, out=gradients[some])
        if own is not None and exempt is not None:
            self.rows[self.places[exempt].to(own.device)] = own
            gradients[exempt.to(own.device)] = -lr * own
        return gradients

    def _neighbours(self, at_most: int) -> Iterator[tuple[slice, slice]]:
        """The clients whose rows are beside each other, and those rows: they need not be copied to be moved."""
        places, start = self.places.tolist(), 0
        for end in range(1, len(places) + 1):
            if end == len(places) or end - start == at_most or places[end] != places[end - 1] + 1:
                yield slice(start, end), slice(places[start], places[end - 1] + 1)
                start = end


def move(momentum: Tensor, gradient: Tensor, beta: float, *, damped: bool) -> None:
    """Moves momenta in place by gradients of the same shape: ``m <- beta m + g``.

    Args:
        momentum: The momenta, m.
        gradient: The gradients, g.
        beta: Factor of the momentum.
        damped: Whether it is ``m <- beta m + (1 - beta) g``.

    Example:
        >>> momentum = torch.tensor([1.0])
        >>> move(momentum, torch.tensor([3.0]), 0.5, damped=False)
        >>> move(momentum, torch.tensor([3.0]), 0.5, damped=True)
        >>> momentum
        tensor([3.2500])
    """
    if damped:
        momentum.lerp_(gradient, 1 - beta)
    else:
        torch.add(gradient, momentum, alpha=beta, out=momentum)


@dataclass
class KeptMomentum(Kept):
    """Everyone's momentum, zero before a client's first step.

    Args:
        rows: Shape ``[num_clients + 1, num_params]``.
        beta: Factor of the momentum.
        damped: Whether gradients are scaled by ``1 - beta``.
    """

    rows: Tensor
    beta: float
    damped: bool

    def lend(self, ids: Tensor, alone: Tensor | None = None) -> Momentum:
        """The steps of some clients, which move the momenta in their place."""
        return Momentum(self.rows, ids, self.beta, self.damped, alone)

    def sent(self, ids: Tensor) -> Tensor:
        """The momenta of some clients."""
        return self.rows[ids.to(self.rows.device)]

    def receive(self, ids: Tensor, sent: Tensor | list[Any]) -> None:
        """Keeps momenta of some clients."""
        assert isinstance(sent, Tensor)
        self.rows.index_copy_(0, ids.to(self.rows.device), sent.to(self.rows.device))

    def state(self) -> Tensor:
        """All momenta."""
        return self.rows

    def load(self, state: Any) -> bool:
        """Takes all momenta, if there are as many."""
        fits = isinstance(state, Tensor) and state.shape == self.rows.shape
        if fits:
            self.rows.copy_(state)
        return fits
