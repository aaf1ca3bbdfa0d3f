"""The arguments of ``flt fit`` that repeat a run, from the settings that the run has left."""

import inspect
import pydoc
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from flt.grid.plan.grid import argument

OWN = ("flt.", "callbacks.")  # others' classes are not imported for the sake of their defaults


def arguments_of(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, list[str]]:
    """The arguments of ``flt fit`` that make these settings, by the part that each belongs to.

    What has its default is left out.

    Args:
        settings: Some of a run's ``config.yaml``.
        defaults: What ``flt fit`` has without any argument.

    Example:
        >>> arguments_of({"model": {"client_lr": 0.01, "local_steps": 1}}, {"model": {"local_steps": 1}})
        {'model': ['--model.client_lr=0.01']}
    """
    made = {name: list(_words(name, value, defaults.get(name))) for name, value in settings.items()}
    return {name: words for name, words in made.items() if words}


def _words(key: str, value: Any, default: Any) -> Iterator[str]:
    """The arguments of one setting; a class comes before its own settings."""
    if isinstance(value, dict) and "class_path" in value:
        path = str(value["class_path"])
        yield f"--{key}={path}"
        usual = defaults_of(path)
        for name, own in (value.get("init_args") or {}).items():
            yield from _words(f"{key}.{name}", own, usual.get(name, inspect.Parameter.empty))
    elif isinstance(value, dict) and isinstance(default, Mapping) and "class_path" not in default:
        for name, own in value.items():
            yield from _words(f"{key}.{name}", own, default.get(name))
    elif value != default or type(value) is not type(default):  # 1 is every round, 1.0 the end
        yield f"--{key}={argument(value)}"


@cache
def defaults_of(path: str) -> dict[str, Any]:
    """The defaults of a class of this project, those of its bases included; none of a class that is not there."""
    kind = pydoc.locate(path) if path.startswith(OWN) else None
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__[:-1]) if isinstance(kind, type) else ():
        if "__init__" in base.__dict__:
            parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]  # of a known class
            found |= {each.name: each.default for each in parameters}
    return found
