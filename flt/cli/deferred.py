"""Packages that Lightning imports and hardly any run uses: they are executed once something of theirs is asked for.

Lightning takes torch's compiler for an ``isinstance``, and two classes of torchmetrics, which brings along the models
of torchvision, SciPy and matplotlib: together half the time of a start. Here such a package is what it always is, with
its own spec, loader and path, but its code waits, as with Python's `importlib.util.LazyLoader`. That one would execute
it at once, as Lightning asks for names; so a few names are answered beforehand. Any other name, and any submodule,
executes the package as if nothing had been put off.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import FunctionType, ModuleType
from typing import Any

COMPILER, COUNTER = "torch._dynamo", "torch.utils.flop_counter"
METRICS, PLOTS = "torchmetrics", "torchmetrics.utilities.plot"
AS_THEY_ARE = tuple(f"{METRICS}.{name}" for name in ("metric", "collections", "utilities", "__about__"))
"""Submodules that need nothing of what the package itself does."""


class _AskCompiler(type):
    def __instancecheck__(cls, value: object) -> bool:
        return not is_waiting(COMPILER) and isinstance(value, import_module(COMPILER).OptimizedModule)


class OptimizedModule(metaclass=_AskCompiler):
    """Stands for torch's class of compiled modules in ``isinstance``: while nothing can be compiled, nothing is one."""


def disable(function: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Keeps torch's compiler out of a function: while there is none, the function itself is called.

    Args:
        function: The function.
        args: What else `torch._dynamo.disable` is given.
        kwargs: What else it is given by name.
    """

    @cache
    def disabled() -> Callable[..., Any]:
        executed: Callable[..., Any] = execute(COMPILER).disable(function, *args, **kwargs)
        return executed

    if not isinstance(function, FunctionType):
        return disabled()

    @wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        return (function if is_waiting(COMPILER) else disabled())(*values, **named)

    return call


def _graph_break(*_: Any, **__: Any) -> None:
    """What `torch._dynamo.graph_break` does outside its compiler."""


def _later(module: str, name: str) -> Callable[..., Any]:
    """What calls a function or class of a module that is executed then."""
    return lambda *args, **kwargs: getattr(execute(module), name)(*args, **kwargs)


def _of_metrics(module: str, name: str) -> Any:
    import_module(f"{METRICS}.utilities")  # first, as it and the module of metrics import each other
    return getattr(import_module(f"{METRICS}.{module}"), name)


def _is_not_there() -> Any:
    raise AttributeError(f"module {METRICS!r} has no such attribute")


ANSWERS: dict[str, Mapping[str, Callable[[], Any]]] = {
    COMPILER: {
        "OptimizedModule": lambda: OptimizedModule,
        "disable": lambda: disable,
        "graph_break": lambda: _graph_break,
    },
    METRICS: {
        "Metric": lambda: _of_metrics("metric", "Metric"),
        "MetricCollection": lambda: _of_metrics("collections", "MetricCollection"),
        "CompositionalMetric": _is_not_there,  # but jsonargparse looks whether it is, as for every class it finds
        "_logger": lambda: import_module("logging").getLogger(METRICS),
    },
    # Two types for annotations, and what draws.
    PLOTS: {
        "_AX_TYPE": lambda: Any,
        "_PLOT_OUT_TYPE": lambda: Any,
        "plot_single_or_multi_val": lambda: _later(PLOTS, "plot_single_or_multi_val"),
    },
    COUNTER: {"FlopCounterMode": lambda: _later(COUNTER, "FlopCounterMode")},  # it imports Triton
}
"""By package that waits: the names that are answered without it."""


class Waiting(ModuleType):
    """A module whose code has not been executed."""

    def __getattr__(self, name: str) -> Any:
        """Answers a name, or executes the module and looks there."""
        if name.startswith("__"):  # what Python asks of every module
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        answer = ANSWERS[self.__name__].get(name)
        return getattr(execute(self.__name__), name) if answer is None else answer()


def is_waiting(name: str) -> bool:
    """Whether a module has been imported, but not executed."""
    return isinstance(sys.modules.get(name), Waiting)


def execute(name: str) -> ModuleType:
    """The module of a name, executed."""
    module = import_module(name)
    if isinstance(module, Waiting):
        module.__class__ = ModuleType  # type: ignore[assignment]  # as `importlib.util.LazyLoader` does
        try:
            module.__spec__.loader.exec_module(module)  # type: ignore[union-attr]
        except BaseException:
            module.__class__ = Waiting
            raise
    return module


class _Later(Loader):
    """Loads a module without executing it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = module.__spec__.loader = self.loader  # type: ignore[union-attr]
        module.__class__ = Waiting


class _Loaded(Loader):
    """Gives a submodule that its package has imported while it was executed."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = fullname.rpartition(".")[0]
        if is_waiting(package) and not fullname.startswith(AS_THEY_ARE):
            execute(package)
            if fullname in sys.modules:
                module = sys.modules[fullname]
                # Python takes the module's own spec then, and would execute it once more by the loader in that.
                module.__spec__ = ModuleSpec(fullname, _Loaded(module))
                return module.__spec__
        if fullname not in ANSWERS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Later(spec.loader)
        return spec


def defer() -> None:
    """Lets those packages wait that have not been imported yet; for a process of the command line."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
