"""Plug-ins that keep tensors which no checkpoint holds: a run that goes on begins without them."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from typing import Any

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from flt.runs.states import times_changed

Tensors = dict[str, tuple[Tensor, int]]
"""Tensors and how often each was changed, by where they are."""


def own_tensors(callbacks: Iterable[Callback]) -> Tensors:
    """The tensors in attributes of callbacks that leave them out of checkpoints; not those of Lightning's own."""
    found: Tensors = {}
    for position, callback in enumerate(callbacks):
        kind = type(callback)
        if kind.state_dict is Callback.state_dict and not kind.__module__.startswith("lightning."):
            for place, tensor in _within(vars(callback), f"{position} {kind.__name__}"):
                found[place] = tensor, times_changed(tensor)
    return found


def _within(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, nn.Module):
        yield from _within(dict(value.state_dict(keep_vars=True)), place, depth)
    elif is_dataclass(value) and not isinstance(value, type) and depth < 4:
        yield from _within(vars(value) if hasattr(value, "__dict__") else {}, place, depth + 1)
    elif isinstance(value, dict | list | tuple | set | deque) and depth < 4:
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _within(each, f"{place}.{name}", depth + 1)


def forgetful(start: Tensors, now: Tensors) -> list[str]:
    """The classes of callbacks whose tensors have come or changed since the start of a run, by name."""
    changed = [
        place
        for place, (tensor, version) in now.items()
        if place not in start or start[place][0] is not tensor or start[place][1] != version
    ]
    return sorted({place.partition(".")[0].partition(" ")[2] for place in changed})


def warn_of_forgotten(names: Iterable[str], present: Iterable[Callback]) -> None:
    """Warns of plug-ins of this run whose tensors a checkpoint has left out."""
    here = {type(callback).__name__ for callback in present}
    for name in sorted(here.intersection(names)):
        rank_zero_warn(
            f"{name} keeps tensors that are not in the checkpoint and goes on without them: the run may end otherwise"
            f" than one that was not stopped; give {name} state_dict and load_state_dict"
        )
