"""What Lightning does several dozen times a round for nobody, done for less: together some 8 % of a round of HAR."""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.profilers import PassThroughProfiler

HOOK_NAME = "_current_fx_name"
"""The attribute of a module in which Lightning notes the hook that it calls."""

Hook = TypeVar("Hook", bound=Callable[..., Any])


class NoProfiler(PassThroughProfiler):
    """Measures nothing, as Lightning's default does, which makes a generator for each of 37 actions of a round."""

    _nothing = nullcontext("")

    def profile(self, action_name: str) -> AbstractContextManager[str]:  # type: ignore[override]  # a Generator there
        """A context in which nothing is measured."""
        return self._nothing


class QuickNotes(LightningModule):
    """A module in which Lightning notes its hooks without torch's search for parameters and submodules."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute as torch does, but for the name of a hook."""
        if name == HOOK_NAME:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)


def inspected(hook: Hook) -> Hook:
    """A hook that carries its signature, which Lightning would work out anew in every round."""
    hook.__signature__ = inspect.signature(hook)  # type: ignore[attr-defined]  # of a function, which inspect reads
    return hook


def without_profiler(trainer: Trainer) -> None:
    """Puts `NoProfiler` in the place of Lightning's default; a profiler of the user's stays."""
    if type(trainer.profiler) is PassThroughProfiler:  # type: ignore[attr-defined]
        trainer.profiler = NoProfiler()  # type: ignore[attr-defined]
