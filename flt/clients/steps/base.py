"""What clients make of their gradients, where a step is more than minus the learning rate times one of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor

Closure = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From where a client is, ``w_i`` of shape ``[num_params]``, to the gradient and the loss of its batch there."""


class Steps(ABC):
    """The steps of some clients, with what each of them keeps for its next one; that changes in here, in place."""

    @abstractmethod
    def of(self, clients: slice) -> "Steps":
        """Those of some of the clients, which share what is kept."""

    @abstractmethod
    def copied(self, clients: Tensor) -> "Steps":
        """Those of some of the clients, which share nothing.

        Args:
            clients: Which, by their places, shape ``[num_some]``.
        """

    @abstractmethod
    def step(self, gradients: Tensor, places: Tensor, lr: float, closure: Closure | None = None) -> Tensor:
        """The step that each client takes, ``w_i`` after it minus ``w_i`` before.

        Args:
            gradients: Of each client's batch, shape ``[num_clients, num_params]``; they may be overwritten.
            places: Where each client is, ``w_i``, of the same shape.
            lr: Their learning rate, below 0 to go along what they would go against.
            closure: What gives the only client's gradient at other places; None where nobody asks for it.
        """


class Kept(ABC):
    """What every client keeps from round to round, by its id; the server's own training is one client more."""

    @abstractmethod
    def lend(self, ids: Tensor, alone: Tensor | None = None) -> Steps:
        """The steps of some clients, which change in place what is kept.

        Args:
            ids: Who they are, on the CPU.
            alone: Which of them take their steps by the gradient alone, boolean; None for nobody.
        """

    @abstractmethod
    def sent(self, ids: Tensor) -> Tensor | list[Any]:
        """What some clients keep, for another process: a row or an entry for each."""

    @abstractmethod
    def receive(self, ids: Tensor, sent: Tensor | list[Any]) -> None:
        """Keeps what another process has sent."""

    @abstractmethod
    def state(self) -> Any:
        """All of it, as plain values for a checkpoint."""

    @abstractmethod
    def load(self, state: Any) -> bool:
        """Takes what `state` gave, and says whether it could: not from another kind of steps, or other clients."""


def taken(steps: Steps, gradients: Tensor, places: Tensor, lr: float, *, taking: Tensor) -> Tensor:
    """The steps of those clients that take one, and none of the others.

    Args:
        steps: Of all of them.
        gradients: Shape ``[num_clients, num_params]``; they may be overwritten.
        places: Where each client is, of the same shape.
        lr: Their learning rate.
        taking: Who takes one, boolean of shape ``[num_clients]``, on the CPU.
    """
    if taking.all():
        return steps.step(gradients, places, lr)
    gradients[~taking.to(gradients.device)] = 0
    for client in taking.nonzero().flatten().tolist():
        some = slice(client, client + 1)
        gradients[some] = steps.of(some).step(gradients[some], places[some], lr)
    return gradients
