"""What a network does besides giving scores, found by calling it and not by the names of its layers."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from flt.clients.randomness.layers import RandomLayers
from flt.clients.randomness.state import random_state, random_state_kept

# What every module has; parameters, buffers and layers among them are looked at elsewhere.
COMMON = frozenset(vars(nn.Module()))
ABSENT = object()


@dataclass(frozen=True)
class Conduct:
    """What calls of a network change.

    Attributes:
        changes_features: Whether a call writes into the features that it is given.
        state: Attributes that a call sets, each with the name of its module: a hidden state, a counter.
        changed_parameters: Names of the parameters that a call writes into.
        changed_buffers: Names of the buffers that a call writes into or replaces.
        draws: Whether a call draws random numbers that `RandomLayers` can give it.
        is_random: Whether a call draws others, from the global states of torch, NumPy or Python.
        is_repeatable: Whether the same features give the same scores again once the state has been put back and random
            numbers are the same.
    """

    changes_features: bool = False
    state: tuple[tuple[str, str], ...] = ()
    changed_parameters: tuple[str, ...] = ()
    changed_buffers: tuple[str, ...] = ()
    draws: bool = False
    is_random: bool = False
    is_repeatable: bool = True

    def call(self, network: nn.Module, features: Tensor) -> Any:
        """The network's scores; ``features`` and the network's state are what they were afterwards."""
        with self.state_kept(network):
            return network(self.given(features))

    def given(self, features: Tensor) -> Tensor:
        """The features for the network to have: a copy if it writes into them."""
        return features.clone() if self.changes_features else features

    @contextmanager
    def state_kept(self, network: nn.Module) -> Iterator[None]:
        """Puts the network's state back at its end."""
        if not self.state:
            yield
            return
        modules = dict(network.named_modules())
        before = [(modules[path].__dict__, name) for path, name in self.state]
        values = [_fresh(attributes.get(name, ABSENT)) for attributes, name in before]
        try:
            yield
        finally:
            for (attributes, name), value in zip(before, values, strict=True):
                attributes.pop(name, None) if value is ABSENT else attributes.update({name: value})


def copied(network: nn.Module) -> nn.Module:
    """A copy that shares nothing with the network."""
    tensors = [value for module in network.modules() for value in vars(module).values() if isinstance(value, Tensor)]
    # What a call has left behind and autograd knows is not copied by torch.
    return copy.deepcopy(network, {id(each): each.detach().clone() for each in tensors if not each.is_leaf})


def observe(network: nn.Module, features: Tensor) -> tuple[Any, Conduct]:
    """Calls a network a few times.

    Args:
        network: The network, or a copy, which has been called then.
        features: Examples, shape ``[num_examples, *shape]``; they are left alone, as is the global random state.

    Returns:
        What the last call gave, and what the calls changed.
    """
    with random_state_kept():
        first, conduct = _observed(network, network, features)
        if not conduct.is_random:
            return first, conduct

        def repeatable(own: Tensor) -> Any:
            with RandomLayers.alone(0):
                return network(own)

        first, conduct = _observed(network, repeatable, features)
        return first, replace(conduct, draws=True)


def _observed(network: nn.Module, call: Callable[[Tensor], Any], features: Tensor) -> tuple[Any, Conduct]:
    """What `observe` gives, where ``call`` calls the network."""
    call(features.clone())  # what a first call prepares for all others is no state
    own, parameters, buffers = (
        features.clone(),
        _values(network.named_parameters()),
        _values(network.named_buffers()),
    )
    draws, attributes = random_state(), _attributes(network)
    marks = {key: _mark(value) for key, value in attributes.items()}
    version = own._version
    first = call(own)
    after = _attributes(network)
    conduct = Conduct(
        changes_features=own._version != version,
        state=tuple(key for key in after | attributes if _mark(after.get(key, ABSENT)) != marks.get(key)),
        changed_parameters=_changes(parameters, network.named_parameters()),
        changed_buffers=_changes(buffers, network.named_buffers()),
        is_random=random_state() != draws,
    )
    again = []
    for _ in range(2):
        with conduct.state_kept(network):
            again.append(call(conduct.given(features)))
    return first, replace(conduct, is_repeatable=_alike(*again))


def random_module(network: nn.Module, features: Tensor) -> tuple[str, nn.Module]:
    """Name and module of what first draws random numbers that nobody can give it, the innermost there is.

    In an evaluation nobody gives it any.
    """
    begun: list[Any] = []
    found: list[tuple[str, nn.Module]] = [("", network)]

    def end(name: str, module: nn.Module) -> None:
        if begun.pop() != random_state():
            found.append((name, module))

    hooks = []
    for name, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_: begun.append(random_state())))
        hooks.append(module.register_forward_hook(lambda own, *_, name=name: end(name, own)))
    try:
        with random_state_kept(), RandomLayers.alone(0) if network.training else nullcontext():
            network(features.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return found[1 if len(found) > 1 else 0]


def _attributes(network: nn.Module) -> dict[tuple[str, str], Any]:
    return {
        (path, name): value
        for path, module in network.named_modules()
        for name, value in vars(module).items()
        if name not in COMMON
    }


def _mark(value: Any) -> Any:
    """What tells whether a value is still the same: nothing else has its mark while the value is kept."""
    if isinstance(value, Tensor):
        return id(value), value._version
    if isinstance(value, list | tuple | dict | set):
        return id(value), tuple(map(id, value)), tuple(map(id, value.values())) if isinstance(value, dict) else ()
    return (type(value), value) if isinstance(value, int | str) else id(value)


def _fresh(value: Any) -> Any:
    """A copy of the tensors and containers of a value."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _fresh(each) for key, each in value.items()}
    return type(value)(map(_fresh, value)) if type(value) in (list, tuple, set) else value


def _values(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors}


def _changes(before: dict[str, Tensor], tensors: Iterable[tuple[str, Tensor]]) -> tuple[str, ...]:
    now = dict(tensors)
    return tuple(name for name in before | now if name not in now or not _same(before.get(name), now[name].detach()))


def _same(one: Tensor | None, other: Tensor) -> bool:
    if one is None or one.is_complex() or not one.is_floating_point():
        return one is not None and torch.equal(one, other)
    return torch.equal(one.nan_to_num(), other.nan_to_num())


def _alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same tensors up to what some GPUs cannot repeat."""
    if not isinstance(one, Tensor) or not isinstance(other, Tensor) or one.shape != other.shape:
        return not isinstance(one, Tensor) and not isinstance(other, Tensor)
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one.detach(), other.detach(), rtol=1e-3, atol=1e-4, equal_nan=True)
