"""Optimizers of torch at the clients: one for each, made anew every round or going on from the last one."""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from flt.clients.flat_network import FlatNetwork
from flt.clients.steps.base import Closure, Kept, Steps
from flt.errors import InputError

OptimizerState = Literal["fresh", "kept"]
MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]

# Those for which each number is its own affair: a vector of all parameters is as good as the parameters, and faster.
ELEMENTWISE = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.Adamax,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.RMSprop,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
    torch.optim.Rprop,
    torch.optim.ASGD,
)


class Traits(NamedTuple):
    """What an optimizer is like.

    Attributes:
        lr: Its learning rate.
        label: Name and settings, for people.
        is_elementwise: Whether each number's step depends on nothing but that number's gradients.
        asks: Whether it asks for gradients at other places in a step, as LBFGS does.
        numbers: Numbers that it keeps from step to step.
    """

    lr: float
    label: str
    is_elementwise: bool
    asks: bool
    numbers: int


def traits_of(make: MakeOptimizer, network: nn.Module) -> Traits:
    """What an optimizer is like, found by a step of it on copies of a network's parameters.

    Raises:
        InputError: If it is none, or takes no such step.
    """
    own = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer = make([nn.Parameter(torch.zeros_like(parameter)) for parameter in own])
            if not isinstance(optimizer, torch.optim.Optimizer):
                raise InputError(f"model.client_optimizer gives a {type(optimizer).__name__}: name a torch.optim class")
            group = optimizer.param_groups[0]
            if len(optimizer.param_groups) != 1 or not isinstance(group.get("lr"), float | int):
                raise InputError(f"model.client_optimizer {type(optimizer).__name__} has not one lr: take another")
            settings = {name: value for name, value in group.items() if name != "params" and value is not None}
            asks = _asks(optimizer)
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"model.client_optimizer cannot be used: {' '.join(str(error).split())}") from error
    shown = ", ".join(f"{name}={value}" for name, value in settings.items() if value is not False)
    label = f"{type(optimizer).__name__}({shown})"
    return Traits(group["lr"], label, type(optimizer) in ELEMENTWISE, asks, _numbers(list(optimizer.state.values())))


def _asks(optimizer: torch.optim.Optimizer) -> bool:
    """Takes a step by gradients of ones, and says whether it needs a closure for it."""
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = torch.ones_like(parameter)
    try:
        optimizer.step()
        return False
    except TypeError:
        optimizer.step(lambda: 0.0)
        return True


def _numbers(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.numel()
    values = state.values() if isinstance(state, Mapping) else state if isinstance(state, Sequence) else ()
    return 0 if isinstance(state, str) else sum(map(_numbers, values))


@dataclass(frozen=True)
class Optimizers(Steps):
    """Steps of an optimizer for each client.

    Args:
        make: Makes one of parameters.
        flat: The network as a function of one vector.
        is_elementwise: Whether each number's step depends on nothing but that number's gradients.
        states: What each client's optimizer keeps: empty before its first step.
    """

    make: MakeOptimizer
    flat: FlatNetwork = field(repr=False)
    is_elementwise: bool
    states: list[dict[str, Any]]

    def of(self, clients: slice) -> "Optimizers":
        """Those of some of the clients."""
        return replace(self, states=self.states[clients])

    def copied(self, clients: Tensor) -> "Optimizers":
        """Those of some of the clients, with states of their own."""
        return replace(self, states=[copy.deepcopy(self.states[client]) for client in clients.tolist()])

    def step(self, gradients: Tensor, places: Tensor, lr: float, closure: Closure | None = None) -> Tensor:
        """Lets each client's optimizer take a step; ``w_i`` after it minus before is returned in the gradients' place.

        One optimizer stands for all of them: each client's state is put into it for its step.
        """
        for gradient, place, state in zip(gradients, places, self.states, strict=True):
            self._take_up(state, lr)
            self._put("data", place.clone())
            self._put("grad", gradient)
            self._optimizer.step() if closure is None else self._optimizer.step(self._asked(closure))
            self._put_down(state)
            torch.sub(self._place, place, out=gradient)
        return gradients

    def _asked(self, closure: Closure) -> Callable[[], float]:
        """The closure as torch's optimizers ask for it."""

        def again() -> float:
            gradient, loss = closure(self._place)
            self._put("grad", gradient)
            return float(loss)

        return again

    def _take_up(self, state: Mapping[str, Any], lr: float) -> None:
        """Puts a client's state into the optimizer."""
        self._optimizer.state.clear()
        self._optimizer.state.update(zip(self._parameters, state.get("state", ()), strict=False))
        self._optimizer.param_groups[0].update({**self._settings, **state.get("settings", {}), "lr": lr})

    def _put_down(self, state: dict[str, Any]) -> None:
        """Takes a client's state out of the optimizer: what it keeps, and settings that it has changed."""
        group = self._optimizer.param_groups[0]
        changed = {name: group[name] for name, value in self._settings.items() if group[name] is not value}
        state["state"] = [self._optimizer.state.get(parameter, {}) for parameter in self._parameters]
        state["settings"] = {name: value for name, value in changed.items() if name != "lr"}

    def _put(self, name: str, vector: Tensor) -> None:
        """Gives the optimizer's parameters their weights ("data") or gradients ("grad")."""
        pieces = [vector] if self.is_elementwise else self.flat.unflatten(vector).values()
        for parameter, piece in zip(self._parameters, pieces, strict=True):
            setattr(parameter, name, piece)

    @property
    def _place(self) -> Tensor:
        """Where the optimizer's parameters are, shape ``[num_params]``."""
        pieces = [parameter.detach().flatten() for parameter in self._parameters]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    @cached_property
    def _parameters(self) -> list[nn.Parameter]:
        start = self.flat.flatten()
        pieces = [start] if self.is_elementwise else self.flat.unflatten(start).values()
        return [nn.Parameter(piece) for piece in pieces]

    @cached_property
    def _optimizer(self) -> torch.optim.Optimizer:
        return self.make(self._parameters)

    @cached_property
    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in self._optimizer.param_groups[0].items() if name != "params"}


@dataclass
class KeptOptimizers(Kept):
    """What everyone's optimizer keeps.

    Args:
        steps: Those of all clients, and of the server.
    """

    steps: Optimizers

    def lend(self, ids: Tensor, alone: Tensor | None = None) -> Optimizers:
        """The steps of some clients; nobody's are by the gradient alone."""
        states = self.steps.states
        return replace(self.steps, states=[states[client] for client in ids.tolist()])

    def take_back(self, ids: Tensor, steps: Steps) -> None:
        """Does nothing: what was lent has changed in place."""

    def sent(self, ids: Tensor) -> list[Any]:
        """The states of some clients."""
        return [self.steps.states[client] for client in ids.tolist()]

    def receive(self, ids: Tensor, sent: Tensor | list[Any]) -> None:
        """Keeps states of some clients."""
        for client, state in zip(ids.tolist(), sent, strict=True):
            self.steps.states[client] = state

    def state(self) -> list[Any]:
        """All states."""
        return self.steps.states

    def load(self, state: Any) -> None:
        """Takes all states."""
        if isinstance(state, list) and len(state) == len(self.steps.states):
            self.steps.states[:] = _moved(state, self.steps.flat.flatten().device)


def _moved(state: Any, device: torch.device) -> Any:
    """A state with its tensors on a device, but for counts of steps, which optimizers have on the CPU."""
    if isinstance(state, Tensor):
        return state.to(device) if state.ndim else state
    if isinstance(state, dict):
        return {name: _moved(value, device) for name, value in state.items()}
    return [_moved(value, device) for value in state] if isinstance(state, list) else state
