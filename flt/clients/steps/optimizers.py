"""Optimizers of torch at the clients: one for each, made anew every round or going on from the last one."""

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from flt.clients.flat_network import FlatNetwork
from flt.clients.steps.base import Closure, Kept, Steps
from flt.errors import InputError, check_positive

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

# Numbers of an update at most that are moved at once, each client's as a parameter.
AT_ONCE = 2**24


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
            check_positive("model.client_optimizer.lr", group["lr"])
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

        To an elementwise optimizer many clients are so many parameters. Any other takes one client's step after the
        other's, with what that client keeps put into it.
        """
        if lr < 0:
            # In a mirror, where the loss is minus itself at minus the place, ascent is descent by the same gradient: an
            # optimizer's weight decay holds there, and its step may go by the gradient's sign or a search alone.
            mirrored = None if closure is None else partial(_mirrored, closure)
            return self.step(gradients, -places, -lr, mirrored).neg_()
        at_once = max(1, AT_ONCE // self.flat.num_params) if self.is_elementwise else 1
        for start in range(0, len(gradients), at_once):
            some = slice(start, start + at_once)
            states = self.states[some]
            if len(states) not in self._made:
                self._made[len(states)] = _Made(self.make, self.flat, len(states), is_elementwise=self.is_elementwise)
            self._made[len(states)].step(states, gradients[some], places[some], lr, closure)
        return gradients

    @property
    def name(self) -> str:
        """The optimizer's."""
        return type(self.make([nn.Parameter(torch.zeros(1, 1))])).__name__

    @cached_property
    def _made(self) -> dict[int, "_Made"]:
        return {}


class _Made:
    """An optimizer of the parameters of so many clients, which may be others in the next step."""

    def __init__(self, make: MakeOptimizer, flat: FlatNetwork, num_clients: int, *, is_elementwise: bool) -> None:
        self.split = (lambda vector: [vector]) if is_elementwise else (lambda vector: flat.unflatten(vector).values())
        pieces = list(self.split(flat.flatten()))
        self.parameters = [[nn.Parameter(piece) for piece in pieces] for _ in range(num_clients)]
        self.optimizer = make([each for own in self.parameters for each in own])
        self.settings = {name: value for name, value in self.group.items() if name != "params"}

    @property
    def group(self) -> dict[str, Any]:
        """The optimizer's settings, as they are by now."""
        return self.optimizer.param_groups[0]

    def step(
        self, states: list[dict[str, Any]], gradients: Tensor, places: Tensor, lr: float, closure: Closure | None
    ) -> None:
        """Takes a step of each client, which is written over its gradient."""
        self._take_up(states, lr)
        for own, place, gradient in zip(self.parameters, places.clone(), gradients, strict=True):
            _put(own, "data", self.split(place))
            _put(own, "grad", self.split(gradient))
        self.optimizer.step() if closure is None else self.optimizer.step(partial(self._asked, closure))
        for own, place, gradient in zip(self.parameters, places, gradients, strict=True):
            torch.sub(_flat(own), place, out=gradient)
        self._put_down(states)

    def _asked(self, closure: Closure) -> float:
        """Puts the only client's gradient in place where the optimizer is by now, and returns its loss."""
        gradient, loss = closure(_flat(self.parameters[0]).clone())
        _put(self.parameters[0], "grad", self.split(gradient))
        return float(loss)

    def _take_up(self, states: list[dict[str, Any]], lr: float) -> None:
        self.optimizer.state.clear()
        for own, state in zip(self.parameters, states, strict=True):
            self.optimizer.state.update(zip(own, state.get("state", ()), strict=False))
            self.group.update({**self.settings, **state.get("settings", {}), "lr": lr})

    def _put_down(self, states: list[dict[str, Any]]) -> None:
        """Hands each client what its optimizer keeps, and settings of the optimizer that have changed."""
        changed = {name: self.group[name] for name, value in self.settings.items() if self.group[name] is not value}
        changed.pop("lr", None)
        for own, state in zip(self.parameters, states, strict=True):
            state |= {"state": [self.optimizer.state.get(each, {}) for each in own], "settings": changed}


def _mirrored(closure: Closure, place: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient and the loss at a place in the mirror."""
    gradient, loss = closure(-place)
    return gradient, -loss


def _put(parameters: Iterable[nn.Parameter], name: str, pieces: Iterable[Tensor]) -> None:
    """Gives parameters their weights ("data") or gradients ("grad")."""
    for parameter, piece in zip(parameters, pieces, strict=True):
        setattr(parameter, name, piece)


def _flat(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Parameters as a vector."""
    pieces = [parameter.detach().flatten() for parameter in parameters]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


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

    def sent(self, ids: Tensor) -> list[Any]:
        """The states of some clients."""
        return [self.steps.states[client] for client in ids.tolist()]

    def receive(self, ids: Tensor, sent: Tensor | list[Any]) -> None:
        """Keeps states of some clients."""
        for client, state in zip(ids.tolist(), sent, strict=True):
            self.steps.states[client] = state

    def state(self) -> dict[str, Any]:
        """All states, with the name of the optimizer."""
        return {"optimizer": self.steps.name, "states": self.steps.states}

    def load(self, state: Any) -> bool:
        """Takes all states, if there are as many and of the same optimizer."""
        states = state.get("states") if isinstance(state, dict) and state.get("optimizer") == self.steps.name else None
        fits = isinstance(states, list) and len(states) == len(self.steps.states)
        if fits:
            self.steps.states[:] = _moved(states, self.steps.flat.flatten().device)
        return fits


def _moved(state: Any, device: torch.device) -> Any:
    """A state with its tensors on a device, but for counts of steps, which optimizers have on the CPU."""
    if isinstance(state, Tensor):
        return state.to(device) if state.ndim else state
    if isinstance(state, dict):
        return {name: _moved(value, device) for name, value in state.items()}
    return [_moved(value, device) for value in state] if isinstance(state, list) else state
