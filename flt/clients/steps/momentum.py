"""Worker momentum: each client's own, kept by its id over all rounds in which it takes part."""

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
        rows: The momenta, shape ``[num_clients, num_params]``; they change in place.
        beta: Factor of the momentum.
        damped: Whether gradients are scaled by ``1 - beta``.
        alone: Clients whose momentum is their last gradient, boolean of shape ``[num_clients]``; None for nobody.

    Reference:
        Karimireddy et al., Learning from History for Byzantine Robust Optimization, ICML 2021 (damped); their code for
        Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing, ICLR 2022, has "none", as torch's SGD.
    """

    rows: Tensor
    beta: float
    damped: bool
    alone: Tensor | None = None

    def of(self, clients: slice) -> "Momentum":
        """Those of some of the clients."""
        return replace(self, rows=self.rows[clients], alone=None if self.alone is None else self.alone[clients])

    def copied(self, clients: Tensor) -> "Momentum":
        """Those of some of the clients, in rows of their own."""
        rows = self.rows[clients.to(self.rows.device)]
        return replace(self, rows=rows, alone=None if self.alone is None else self.alone[clients])

    def step(self, gradients: Tensor, places: Tensor, lr: float, closure: Closure | None = None) -> Tensor:
        """Moves the momenta by the gradients, and returns ``-lr * m_i`` in their place."""
        rows_per_block = max(1, BLOCK // max(1, gradients.shape[1]))
        exempt = None if self.alone is None or not self.alone.any() else self.alone.to(gradients.device)
        own = None if exempt is None else gradients[exempt]
        for start in range(0, len(gradients), rows_per_block):
            some = slice(start, start + rows_per_block)
            move(self.rows[some], gradients[some], self.beta, damped=self.damped)
            torch.mul(self.rows[some], -lr, out=gradients[some])
        if own is not None and exempt is not None:
            self.rows[exempt] = own
            gradients[exempt] = -lr * own
        return gradients


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
        """The steps of some clients: neighbours' without a copy."""
        some = _neighbours(ids)
        return Momentum(self.sent(ids) if some is None else self.rows[some], self.beta, self.damped, alone)

    def take_back(self, ids: Tensor, steps: Steps) -> None:
        """Keeps the momenta that were lent, if they were copies."""
        assert isinstance(steps, Momentum)
        if _neighbours(ids) is None:
            self.receive(ids, steps.rows)

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


def _neighbours(ids: Tensor) -> slice | None:
    """The ids as a slice, if they are one."""
    if not (ids.diff() == 1).all():
        return None
    first = int(ids[0]) if len(ids) else 0
    return slice(first, first + len(ids))
